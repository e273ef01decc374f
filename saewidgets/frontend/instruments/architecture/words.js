// The words of the architecture panel, one table per language.

export const words = {
  en: {
    widget: "Architecture panel",
    tokens: "Choose a token",
    token: "Token {i}: {text}",
    stages: {
      input: "Activation x",
      up: "Encode: up",
      active: "Active features",
      down: "Decode: down",
      error: "Error",
    },
    input: "The model's {d} numbers at this token.",
    up: "{n} pre-activations by rank. Those in orange pass the threshold.",
    active: "A click selects the feature. Where it has no label: the tokens that it promotes most.",
    down: "The sum of the parts, and an offset.",
    error: "x − x̂, not explained: {share} of the variance.",
    feature: "feature",
    activation: "activation",
    part: "length of its part",
    unnamed: "no label",
    more: "and {n} more",
    none: "No feature is on: the reconstruction is the offset alone.",
    length: "length {value}",
    kept: "{k} of {n}",
    check: "Sum of the parts minus what the decoder gives: at most {value}",
    curve: "{n} pre-activations from {high} to {low}; {k} pass",
  },
};
