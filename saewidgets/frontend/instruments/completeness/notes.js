// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-whole-charts > :first-child .saew-chart",
      say:
        "Frequent concepts on the right have features, rare ones on the left have none. A larger SAE moves the " +
        "curve to the left: it has features for rarer concepts.",
    },
    {
      at: ".saew-whole-charts > :last-child .saew-chart",
      say:
        "Do the curves of all sizes become one? Then a concept gets a feature once it is frequent enough to earn " +
        "one.",
    },
    {
      at: ".saew-whole-saes",
      say: "A row chooses its SAE, whose concepts are listed below.",
    },
    {
      at: ".saew-whole-made",
      say:
        "Where a concept has no feature of its own, others share it: each fires on a part of it, or on much else as " +
        "well.",
    },
  ],
};
