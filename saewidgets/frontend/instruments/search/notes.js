// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-search-form",
      say:
        "What features are found by: text in their examples, a token that they promote, a direction, a text of " +
        "yours, texts with and without, what it makes the model say, or a planted concept.",
    },
    {
      at: ".saew-search-said",
      say: "How many were found.",
    },
    {
      at: ".saew-scroll",
      say: "The features found, best first. Click one to open it in the instruments that share the selection.",
    },
  ],
};
