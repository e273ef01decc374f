// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-dose-kinds",
      say: "The kinds of intervention. Each has its own shape and color in the charts.",
    },
    {
      at: ".saew-dose-strength",
      say: "The strength of the chosen one, in multiples of the feature's maximum.",
    },
    {
      at: ".saew-dose-charts",
      say:
        "Each point sums up the texts written at one strength. The green band is the usable window: the concept is " +
        "named, the text stays fluent and does not repeat itself. Dashed lines are the bounds.",
    },
    {
      at: ".saew-dose-texts",
      say: "The texts behind the chosen point. Read some: figures do not tell how a text fails.",
    },
    {
      at: ".saew-dose-writing",
      say: "A text that the sweep does not hold: this page writes it. The curves stay as they were measured.",
    },
    {
      at: ".saew-details",
      say: "All points as a table.",
    },
  ],
};
