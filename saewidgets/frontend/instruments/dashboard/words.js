// The words of the feature dashboard, one table per language.

export const words = {
  en: {
    widget: "Feature dashboard",
    bar: {
      previous: "Previous feature",
      next: "Next feature",
      number: "Feature number",
      order: "Order of the features",
      orders: {
        number: "by number",
        label: "by label",
        often: "most frequent first",
        seldom: "rarest first",
        output: "best output score first",
        input: "best input score first",
      },
      scored: { output: "output {n}", input: "input {n}" },
      position: "{i} of {n} features",
    },
    heading: {
      feature: "Feature {n}",
      unlabeled: "no label",
      fires: "Fires on",
      ofTokens: "of tokens",
      oneIn: "1 in {n}",
      never: "never here",
      maximum: "Largest activation",
      units: "SAE units",
      output: "Output score",
      input: "Input score",
      scoresShow:
        "Scores are of the tokens that the feature promotes most: how often they are what it is strongest on " +
        "(input), and how likely one becomes when it is raised in a neutral prompt (output). They do not show " +
        "whether a clamped text is about the concept, or at which dose it breaks: a dose-response does.",
    },
    naming: {
      name: "Name this feature",
      rename: "Change your label",
      box: "Your label of feature {n}",
      hint: "Enter keeps it, Escape leaves it. Without a word the given label stands alone.",
      own: "your label",
      given: "given label: {label}",
    },
    examples: {
      top: "Where it is strongest",
      topNote:
        "Point at a token for its numbers, choose it to keep them in view. " +
        "The stronger the color, the stronger it fires:",
      measuring: "Measuring what each token loses without the feature …",
      all: "Show all {n}",
      fewer: "Show fewer",
      none: "It never fired on this corpus.",
      times: "× {n}",
      timesTitle: "{n} examples read the same around their strongest token",
      weaker: "Weaker examples, level by level",
      weakerNote:
        "Drawn at random from {k} equal levels between 0 and the maximum: what most of its activations look like.",
      level: "{low} to {high}",
      subsample: "Subsample interval {i}: {low} to {high}",
      subsampleNote:
        "Each example on this page, the strongest too, was chosen among {n} tokens drawn from each context, so the " +
        "largest activation may be missing. Interval 0 is the strongest.",
      less: "less likely without it",
      more: "likelier without it",
    },
    token: {
      token: "token",
      id: "id",
      bytes: "bytes",
      noBytes: "none",
      activation: "activation",
      share: "of its maximum",
      loss: "its loss without the feature",
      nats: "{sign}{n} nats",
      adds: "makes likelier next",
      takes: "makes less likely next",
      where: "document {context}, token {position}",
      chosen: "Chosen token",
      close: "Let go of this token",
    },
    filter: {
      label: "Find in these examples",
      regex: "Regular expression",
      case: "Match case",
      count: "{n} of {all}",
      broken: "not a regular expression",
    },
    histogram: {
      title: "How strongly it fires",
      note: "Tokens by activation, zeros left out. Choose a bar to read examples from it.",
      nonZero: "non-zero activations",
      activation: "activation",
      tokens: "tokens",
    },
    bin: {
      title: "Examples with activation {low} to {high}",
      note: "{n} of {all} tokens in this bar, drawn at random",
      around: "No example of this bar is at hand; these are of the level around it, {low} to {high}.",
      empty: "No example of this bar is at hand.",
      close: "Close these examples",
    },
    density: {
      title: "How often features fire",
      note: "Live features by the share of tokens at which they are active; {n} never fire here.",
      noteNone: "Features by the share of tokens at which they are active.",
      share: "share of tokens",
      features: "features",
      here: "this feature",
    },
    logits: {
      title: "What it writes",
      note: "Direct effect on the next token, in logits per unit of activation",
      promoted: "Makes likelier",
      suppressed: "Makes less likely",
      all: "All {n} tokens of the vocabulary, marked where the lists above begin",
      vocabulary: "tokens of the vocabulary by direct effect",
      effect: "logits",
      tokens: "tokens",
    },
    related: {
      neighbors: "Nearest features",
      neighborsNote: "Cosine of what they write (decoder) and of what they read (encoder)",
      encoders: "Nearest by what they read",
      encodersNote: "Cosine of the encoder’s directions",
      correlated: "Active at the same tokens",
      correlatedNote: "Pearson’s r and cosine of the activations over the corpus, cosine of the decoder directions",
      absent: "not on this page",
      feature: "feature",
      decoder: "decoder",
      encoder: "encoder",
      pearson: "r",
      cosine: "cosine",
    },
    neurons: {
      title: "Neurons of the same layer",
      aligned: "Writing the same way",
      alignedNote: "Largest cosine of a neuron’s output weights with the decoder direction",
      together: "Active at the same tokens",
      togetherNote: "Pearson’s r over {n} tokens of the corpus",
      silent: "Not active in the sample of {n} tokens.",
      neuron: "neuron",
    },
    honestyTitle: "What this page does not show",
    honesty: [
      "The label is a summary by a person or a list of planted concepts; the feature may answer to more, or to less, " +
        "than it says.",
      "Top examples flatter. Judge by the weaker levels too: that is where most of the activations are.",
      "An SAE leaves something out. What it fails to reconstruct is not here, and a concept without a feature may " +
        "live there, or in several layers at once.",
      "Training presses activations down a little, so magnitudes are underestimates.",
      "“What it writes” is the straight path to the output. What later layers make of the feature is in the " +
        "underlines and in a token’s own list, where the feature was left out of a real forward pass of the whole " +
        "document.",
      "Active together is not the same as one causing the other.",
      "Whether these are the features that the model computes with cannot be evaluated: nothing says what the right " +
        "ones would be. The loss of the SAE and every score of a label only stand in for that.",
      "Only text was read, and only text of this corpus’s kind. What the direction does with anything else that a " +
        "model may take in is not known from here.",
      "All figures hold for the corpus named above. Other text may find other uses for the same direction.",
    ],
  },
};
