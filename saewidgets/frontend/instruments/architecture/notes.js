// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-picks",
      say: "The tokens of the text. Choose one: the picture shows what the SAE makes of its activation vector.",
    },
    {
      at: ".saew-stages > :first-child",
      say: "x: the activation vector in the residual stream, one square per number.",
    },
    {
      at: ".saew-stages > :nth-child(2)",
      say: "Encode: one value per feature before the threshold, in order of size. Only the marked ones pass.",
    },
    {
      at: ".saew-stages > :nth-child(3)",
      say: "The active features: their activation, and the length of the part that each adds.",
    },
    {
      at: ".saew-stages > :nth-child(4)",
      say: "Decode: the parts add up to the reconstruction.",
    },
    {
      at: ".saew-stages > :last-child",
      say: "The error: what the SAE does not explain.",
    },
  ],
};
