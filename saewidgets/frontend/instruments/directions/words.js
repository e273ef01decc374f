// The words of the directions lab, one table per language.

export const words = {
  en: {
    widget: "Directions between words",
    spaces: "Vectors",
    relations: "Relations",
    columns: {
      relation: "relation",
      offset: "offset",
      kept: "inputs kept",
      neighbor: "nearest to c",
      chance: "chance",
      parallel: "parallel",
      questions: "questions",
    },
    columnsSay: {
      offset: "share of questions whose answer is the word nearest to b - a + c, the three words left out",
      kept: "the same with all words as candidates, a, b and c among them",
      neighbor: "share that the nearest word to c alone answers: where it is as high, the offset did nothing",
      chance: "share that these very answers have when they are shuffled among the questions",
      parallel: "mean cosine between the offsets of two pairs; the tick is that of shuffled pairs",
    },
    tableSays:
      "Shares of the questions that are answered right. Offset: by the word nearest to b - a + c, with a, b and c " +
      "left out. Inputs kept: with these among the candidates. Nearest to c: by the nearest word to c, with no " +
      "offset at all. Chance: by the same answers, shuffled. Parallel: mean cosine of two offsets; the tick is " +
      "that of shuffled pairs.",
    asked: "{n}",
    askedSkipped: "{n}, {skipped} skipped",
    none: "not measured",
    picture: {
      title: "The pairs of “{name}” on the two principal axes of their words",
      label: "{n} pairs of words as arrows from the first word to the second.",
      explained: "The two axes hold {share} of the variance of these words; the rest is not drawn.",
      left: "{out} of {of} words find no place here; point at an arrow to read its pair, or widen the picture.",
      pair: "pair",
      empty: "There are fewer than two pairs of words with vectors.",
      parallel:
        "Offsets of two pairs have a mean cosine of {value}; with the partners shuffled {null}, 97.5 % below {high} " +
        "(p = {p}).",
      length: "An offset is {length} times as long as a word.",
    },
    parts: {
      title: "What the offset is made of",
      none: "It was not taken apart: no SAE reads these vectors.",
      says: "Shares of the mean offset's squared length, {sae}. All features and the error add up to 100 %.",
      feature: "#{feature}",
      error: "error: what the SAE does not reconstruct",
      rest: "all other features",
      before: "at the first words",
      after: "at the second words",
      share: "share of the offset",
    },
    answers: {
      title: "Questions and answers",
      columns: ["question", "meant", "offset", "inputs kept", "nearest to c", "rank of the meant word"],
      question: "{a} : {b} = {c} : ?",
      some: "{shown} of {n} questions, evenly over all.",
      right: "right",
    },
    shows:
      "What it does not show: whether the model uses such a direction when it writes, words of several tokens, and, " +
      "in the picture, whatever the two axes do not hold. That a relation is a direction here says nothing of " +
      "others.",
    code: "The same in Python",
  },
};
