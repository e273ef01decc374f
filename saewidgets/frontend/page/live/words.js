// What a live page says by itself: the sentences of the Python side, and where it differs from a notebook.

export const words = {
  en: {
    opening: "the model is being opened",
    multiple: "feature {feature}: a multiple must be a number from -{most} to {most}, not {value}",
    most: "{n} answers are there, which is the most: move a slider or change the prompt for others",
    kind: 'this page cannot write what "{kind}" does: choose another kind',
    strength: "a strength must be a number from -{most} to {most}, not {value}",
    unknown: "feature {feature} is not in this page",
    pins: "at most {n} features can be pinned at once; unpin one of {pins} first",
    broken: "This browser cannot open the model: {why}",
  },
};
