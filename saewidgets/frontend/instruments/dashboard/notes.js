// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-bar-top",
      say: "Which feature is shown: search by number, label or promoted token, or step through.",
    },
    {
      at: ".saew-pencil",
      say: "Give the feature a name of your own. It shows wherever this selection is shared, and in exported pages.",
    },
    {
      at: ".saew-facts",
      say: "How often it is on, its largest activation, and where it was measured.",
    },
    {
      at: ".saew-main .saew-examples",
      say:
        "The texts in which the feature is strongest. Color: its activation at that token. Underline: what the " +
        "model loses without the feature there; solid means that the token becomes less likely. Choose a token for " +
        "its numbers. “× 3”: so many read the same around the strongest token.",
    },
    {
      at: ".saew-main .saew-details",
      say: "The strongest examples flatter a feature. These are drawn at random from each level of its activation.",
    },
    {
      at: ".saew-columns > .saew-side",
      say:
        "How strongly it fires: all its activations above 0; choose a bar for its examples. What it writes: the next " +
        "tokens that its decoder direction raises and lowers. How often features fire: where this one stands among " +
        "all.",
    },
    {
      at: ".saew-tables",
      say:
        "Features with a similar decoder or encoder direction, features that are on at the same tokens, and " +
        "neurons of the layer that go with it. Click one to open it.",
    },
    {
      at: ".saew-footer",
      say: "Every figure holds for this model, site, corpus and number of tokens.",
    },
  ],
};
