// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-plane-picture",
      say:
        "The point is an activation, each arrow the direction of a feature. Drag either, or focus it and use the " +
        "arrow keys. A dashed line drops from the point to the direction: its foot is the read-out.",
    },
    {
      at: ".saew-plane-side .saew-section:first-child",
      say: "The angle of each direction. Add a feature, or spread them evenly.",
    },
    {
      at: ".saew-plane-side .saew-section:last-child",
      say: "The read-out of each feature: the dot product of the point with its direction.",
    },
    {
      at: ".saew-plane-left .saew-section",
      say: "Interference: what one feature adds to the read-out of another, the cosine of the angle between them.",
    },
  ],
};
