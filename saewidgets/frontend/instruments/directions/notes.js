// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-directions-spaces",
      say: "The vectors that are asked: the embedding, or what flows in the middle of the model when a word is read.",
    },
    {
      at: ".saew-directions-table",
      say:
        "How many questions b - a + c answers, against three baselines. Where the nearest word to c is right as " +
        "often, the offset did nothing. A row chooses its relation.",
    },
    {
      at: ".saew-directions-picture",
      say: "Each arrow is a pair of words. Parallel arrows of one length would make the relation a direction.",
    },
    {
      at: ".saew-directions-parts",
      say: "The features whose activation differs between first and second words, by what they add to the offset.",
    },
  ],
};
