// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-lesson > select",
      say: "An experiment of the paper: choosing one sets everything below and trains it. What you change is said.",
    },
    {
      at: ".saew-knobs",
      say:
        "How many features and dimensions, how rare the features are, and how much less each matters than the one " +
        "before.",
    },
    {
      at: ".saew-lab-do",
      say: "Train the models again. More settings are below.",
    },
    {
      at: ".saew-panels",
      say:
        "One card per setting: the best of several models trained there. An arrow is the direction of a feature. " +
        "Choose a card.",
    },
    {
      at: ".saew-player",
      say: "Go back through the training.",
    },
    {
      at: ".saew-portrait",
      say:
        "The chosen model. Long arrows are features that it represents; arrows that are not at right angles " +
        "interfere.",
    },
    {
      at: ".saew-gram",
      say: "WᵀW: squared lengths on the diagonal, interference beside it.",
    },
    {
      at: ".saew-tabs",
      say: "More about the chosen model. A feature that is marked in one view is marked in all of them.",
    },
    {
      at: ".saew-polytopes",
      say: "Which features share which dimensions. A tetrahedron: four features in three dimensions, 3/4 each.",
    },
    {
      at: ".saew-linked",
      say: "A row of the matrix and an arrow beside it are the same feature.",
    },
    {
      at: ".saew-attack-set",
      say: "How long the step is that is added to the input. Of a marked feature alone, or of a sampled input.",
    },
  ],
};
