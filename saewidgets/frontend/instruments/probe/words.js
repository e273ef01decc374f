// The words of the probe, one table per language.

export const words = {
  en: {
    widget: "Feature probe",
    text: "Text: type or paste",
    saved: "A saved reading: the text stays as it is.",
    status: { idle: "ready", reading: "reading", measuring: "measuring", error: "failed" },
    waiting: "waiting: a cell or another thread holds hooks on this model",
    tokens: "The text, token by token",
    tokensNote:
      "Point at a token, or walk with the arrow keys, for its strongest features. Click it, or press Enter, " +
      "to list them all.",
    strip: "Tokens of the text",
    raw: "Show the template's tokens",
    empty: "There is nothing to read yet.",
    token: "token",
    position: "position",
    id: "id",
    silent: "no feature",
    loss: "loss without #{feature}",
    legend: {
      picked: "{feature}: the more orange, the stronger",
      off: "{feature} is not on in this text",
      pick: "Pick a feature below to see where it is active.",
      pins: "Pinned, as lines under the tokens from top to bottom:",
      unpin: "Unpin #{feature}",
      ablated: "Last line: what becomes harder to predict without #{feature} (orange), and what easier (blue)",
      notAblated: "Last line: not measured for #{feature}",
    },
    list: {
      whole: "Features of the whole text",
      wholeNote: "The largest activation of each; attribution and ablation are sums over its tokens.",
      one: "Features at token {position}, {token}",
      oneNote: "Every feature that is active there.",
      back: "List the whole text",
      count: "{n} features",
      none: "No feature is active here.",
      all: "Show all {n}",
      fewer: "Show fewer",
    },
    table: {
      label: "Features",
      pin: "Pin #{feature}: color its tokens",
      unpin: "Unpin #{feature}",
      pinned: "Pin",
      feature: "Feature",
      unlabeled: "no label",
      columns: {
        activation: "Activation",
        share: "Of max.",
        quantile: "Quantile",
        attribution: "Attribution",
        ablation: "Ablation",
        loss_effect: "Loss effect",
      },
      titles: {
        activation: "How strongly it is on, in SAE units",
        share:
          "Share of its largest activation over the corpus; above 100 % where this text is stronger than all of that",
        quantile: "Share of the feature's own activations in the corpus that are no stronger",
        attribution: "Activation × (decoder direction · gradient of the logit difference)",
        ablation: "How much the logit difference falls without it",
        loss_effect:
          "What leaving it out adds to the loss of the token after this one; of the whole text, to that of all " +
          "tokens together (nats)",
      },
      where: "Strongest at",
      tokens: "{n} tokens",
      one: "1 token",
      sort: "Sort by {name}",
    },
    beside: {
      title: "Several texts at once",
      note: "The feature that is shown above, in other texts: the same color stands for the same activation.",
      keep: "Keep the text above here",
      front: "To the front",
      frontLabel: "Bring text {at} to the front",
      drop: "Remove text {at}",
      strip: "Tokens of text {at} of {n}",
      most: "{name}: at most {most}{share}",
      share: ", {share} of its maximum",
      off: "{name} is not on",
    },
    measure: {
      title: "What pushes one next token over another?",
      note:
        "Attribution: activation × (decoder direction · gradient of the difference of the two logits after the last " +
        "token). Ablation: how much that difference falls when the feature is set to zero there. A space in front of " +
        "a word belongs to its token.",
      target: "Next token",
      baseline: "rather than (empty: the average token)",
      mean: "the average token",
      go: "Measure",
      result: "After the last token the logit of {target} minus that of {baseline} is {difference}.",
      correlations:
        "Correlation with the ablation, over {n} activations: attribution {attribution}, " +
        "plain activation {activation}.",
      ablate: "Ablate #{feature}: what each token would cost",
      ablateAll: "Ablate each of the listed features",
      ablateAllTitle:
        "One pass of the model per feature; of a long text, those that come nearest to their maximum. " +
        "The table then sorts by loss effect.",
    },
  },
};
