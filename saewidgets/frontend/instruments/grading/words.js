// The words of the grading sheet, one table per language.

export const words = {
  en: {
    widget: "Grading sheet",
    title: "Is it {claim}?",
    blind: "{n} passages in no order, graded by {name}, who sees neither the activation nor what others have said.",
    question: "Is the framed text {claim}?",
    passage: "The passage",
    at: "Passage {at} of {of}. ",
    answers: "Scores",
    skip: "Cannot say (S)",
    undo: "Undo (U)",
    keys: "Keys: 0 to 3, S, U.",
    begin: "{of} to grade.",
    progress: "{n} of {of} graded, {each} s each.",
    kept: "Every answer is saved in {path}; the sheet opens again where it was left.",
    lost: 'The answers are in this notebook\'s kernel only; with path="mine.json" every one is saved as it is given.',
    still: "This page can only be read. To grade, open the sheet in a notebook.",
    done: "All passages are graded.",
    read: "What was said so far",
    score: "score {score}",
    refused: "cannot say",
    agreement: "Agreement with the other judges",
    agreementNote: "Kappa: 1 they always agree, 0 no more than by chance. Passages that either refused are left out.",
    columns: ["judge", "both scored", "kappa", "95 % interval", "equal"],
    range: "{low} to {high}",
    said: "Every answer, in the order given",
    seconds: "{n} s",
    shows:
      "What it does not show: whether another person would say the same, and whether you would tomorrow. Have a " +
      "second person grade the same sheet, under another name, and look at how far the two agree.",
    code: "The same in Python",
  },
};
