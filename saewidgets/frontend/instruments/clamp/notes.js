// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-ask",
      say: "The prompt: what the model is to go on with. Change it, or try one of the examples.",
    },
    {
      at: ".saew-clamps",
      say:
        "One row per clamped feature. The slider sets the feature, at every token, to a multiple of the largest " +
        "activation that it had on the corpus. Off: the feature is left alone. 0: it is ablated. The marked band " +
        "is where its clamp was measured to work.",
    },
    {
      at: ".saew-settings",
      say: "Which tokens the clamp covers, and how the text is sampled. Same seed, same random numbers.",
    },
    {
      at: ".saew-panes .saew-pane:first-child",
      say: "What the model writes by itself.",
    },
    {
      at: ".saew-panes .saew-pane:nth-child(2)",
      say:
        "What it writes with the clamps, from the same random numbers. The first token that differs is marked; the " +
        "line under a token says how far the clamp moved its prediction. Point at a token for its figures.",
    },
    {
      at: ".saew-answers",
      say:
        "Was it luck? The same settings with other seeds: how many answers hold the words that you look for, and " +
        "how likely the model as it is finds each (perplexity; lower is more fluent). A seed shows its texts above.",
    },
    {
      at: ".saew-measured",
      say:
        "Did the clamp hold? The model reads its own text again, and the feature is read where it was set and " +
        "after later blocks.",
    },
    {
      at: ".saew-tries-list",
      say: "Every setting that you tried. Choose one to go back to it.",
    },
  ],
};
