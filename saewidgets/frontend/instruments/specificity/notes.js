// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-spec-chart",
      say:
        "Each bar is an interval of activation, weak on the left. Dark: the token is the concept itself. Empty: the " +
        "concept is nowhere in the text. Below, how many activations of the corpus there are. Choose a bar to read it.",
    },
    {
      at: ".saew-spec-curves",
      say:
        "If only activations from a threshold on counted: how many would be right (specific), and how much of " +
        "the concept would still be found (sensitive)?",
    },
    {
      at: ".saew-spec-list",
      say: "The judged activations of the chosen interval. Read some: do you agree with the judge?",
    },
    {
      at: ".saew-spec-judges",
      say: "Who judged, how far they agree beyond chance (kappa), and what it cost.",
    },
  ],
};
