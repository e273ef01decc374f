// What the notes say that "What am I looking at?" lays over the sheet, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-grading-progress",
      say: "How many passages are graded, and how long one takes you.",
    },
    {
      at: ".saew-grading-ask",
      say:
        "Is the framed word what is claimed? Press 3, 2, 1 or 0, or S where you cannot say. You do not see how " +
        "strongly the feature was active there, nor what other judges have said: neither must sway you.",
    },
    {
      at: ".saew-grading-head",
      say: "The claim that you judge. The passages come in no order.",
    },
  ],
};
