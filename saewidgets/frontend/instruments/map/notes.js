// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-map-settings",
      say: "What the color and the size of a point stand for, and what a drag does.",
    },
    {
      at: ".saew-map-frame",
      say:
        "One point per feature. Two are near each other when their decoder directions make a small angle. Trust only " +
        "the nearest few: many dimensions do not fit into two. Words on the map are promoted far oftener there than " +
        "elsewhere.",
    },
    {
      at: ".saew-map-legend",
      say: "Concepts that features fire on. Press one to see its features alone.",
    },
    {
      at: ".saew-map-find",
      say: "Find a feature by number, label or promoted token.",
    },
    {
      at: ".saew-map-side .saew-section:last-of-type",
      say: "The chosen feature: what it promotes, and the features of another size that it splits into or comes from.",
    },
  ],
};
