// The words of the search, one table per language.

export const words = {
  en: {
    widget: "Feature search",
    mode: "Find features by",
    search: "Search",
    saved: "A saved search: {mode}",
    results: "Features that were found",
    none: "Nothing was found.",
    count: "{n} features",
    first: "the first {n} features",
    of: "{count}, by {mode}: {question}",
    stale: "Still shown: {told}. Ask anew to replace it.",
    quoted: "“{text}”",
    feature: "Feature",
    histogram: "Activations",
    histogramLabel: "Histogram of the non-zero activations of feature {feature}",
    density: "Density",
    maximum: "Maximum",
    tokens: "Strongest on",
    unlabeled: "no label",
    hint: "Enter or a click opens a feature. Arrow keys walk down the list.",
    ticks: { regex: "Regular expression", case: "Match case", relative: "As a share of its maximum" },
    share: "Of max.",
    status: { idle: "ready", searching: "searching", error: "failed" },
    waiting: "waiting: a cell or another thread holds hooks on this model",
    // What each way asks for, and what its score is.
    modes: {
      text: { name: "text in its examples", query: "Text", other: "", score: "Examples" },
      token: {
        name: "a token that it promotes",
        query: "Token; a space in front belongs to it",
        other: "",
        score: "Logits",
      },
      direction: { name: "a feature that it is close to", query: "Feature number", other: "", score: "Cosine" },
      prompt: {
        name: "a text, at one of its tokens",
        query: "Text",
        other: "Up to this word; empty: the whole text",
        score: "Activation",
      },
      prompts: {
        name: "texts with and without it",
        query: "Texts with it, one a line",
        other: "Texts without it, one a line",
        score: "Least",
      },
      concept: { name: "a planted concept", query: "Concept", other: "", score: "AUROC" },
    },
    extra: { negative: "Most in the others", at_peak: "At the peak", precision: "Precision", recall: "Recall" },
  },
};
