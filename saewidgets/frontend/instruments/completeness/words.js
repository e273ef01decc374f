// The words of the completeness lab, one table per language.

export const words = {
  en: {
    widget: "Completeness lab",
    frequency: "By frequency",
    frequencyNote:
      "Each dot is a group of concepts of like frequency, the curve a sigmoid, the ring where half have a feature, " +
      "the dashed line one token in as many as there are live features. Marks are concepts: above with a feature, " +
      "below without.",
    rescaled: "Counted in live features",
    rescaledNote:
      "The same with each frequency times the live features of its SAE: 1 is an even share of them. If size enters " +
      "only so, the curves fall on one another.",
    losses:
      "One curve for all SAEs misses a concept's answer by {plain} nats on average over frequency, and by {rescaled} " +
      "over frequency times live features (a coin: 0.693).",
    chart: {
      label: "Share of concepts that have a feature against their frequency, in {n} SAEs.",
      rescaledLabel: "The same against frequency times live features, in {n} SAEs.",
      frequency: "share of the tokens",
      perFeature: "share of the tokens × live features",
      concepts: "concepts",
      share: "have a feature",
      range: "{share} ({low} to {high})",
      of: "of the tokens",
      best: "best feature",
      f1: "#{feature}, F1 {f1}",
      half: "half have one at",
      threshold: "1 / live features",
    },
    saes: "The SAEs",
    saeColumns: ["SAE", "live features", "concepts with one", "share", "half have one at", "1 / live features"],
    someOf: "{n} of {of}",
    missing: "{n} concepts without a feature in {sae}",
    missingNote: "The most frequent first, each with its best feature's F1. Choose one to see what makes it up.",
    there: "{n} concepts with a feature in {sae}",
    madeOf: "What makes up “{name}” in {sae}",
    hasNone:
      "{share} of the tokens. Its best feature, #{feature}, has an F1 of {f1}: below {bound}, so it has none of " +
      "its own.",
    hasOne: "{share} of the tokens. Its best feature, #{feature}, has an F1 of {f1}.",
    noFeature: "{share} of the tokens. No feature is active on it.",
    notLooked: "“{name}” is too rare in these documents to be looked for.",
    together: "Taken together",
    first: "#{feature}",
    with: "or #{feature}",
    f1: "F1 {f1}",
    active: "What is active on it most often",
    partColumns: ["feature", "of its tokens", "of where it is active", "mean activation"],
    nothing: "Nothing.",
    shows:
      "What it does not show: concepts that nobody labeled, whether another threshold than “active” would tell a " +
      "concept better, and whether a feature that tells a concept also writes it. Features that are taken " +
      "together were chosen and measured on the same text, which flatters them.",
    code: "The same in Python",
  },
};
