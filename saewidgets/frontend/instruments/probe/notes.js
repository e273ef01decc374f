// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-strip",
      say:
        "The text, token by token. Color: how strongly the chosen feature is on. Point at a token for its " +
        "strongest features; click it to list them all.",
    },
    {
      at: ".saew-legend",
      say: "What color and underlines stand for.",
    },
    {
      at: ".saew-probe-table",
      say:
        "The features that are on here. Click a head to sort; + pins a feature, so that it keeps a color of its " +
        "own in the text.",
    },
    {
      at: ".saew-footer",
      say: "The model, the site and the SAE that were asked.",
    },
  ],
};
