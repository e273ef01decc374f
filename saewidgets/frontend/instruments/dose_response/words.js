// The words of the dose-response, one table per language.

export const words = {
  en: {
    widget: "Dose-response",
    kinds: "What is done",
    strength: "Strength, in multiples of the feature's maximum",
    noStrength: "no strength to choose",
    at: "{kind} at {multiple}×",
    rate: "{share} of {n} texts have the concept",
    ratio: "perplexity {value} times the model's own",
    passes: "inside every bound",
    window: "Usable from {low} to {high}× its maximum (shaded): every bound holds there.",
    oneWindow: "Usable at {low}× its maximum only (shaded): every bound holds there.",
    noWindow: "No usable window: at no strength do all the bounds hold.",
    bounds:
      "Bounds, dashed: the concept in at least {rate} of the texts, no three words in a row more " +
      "than {repeats} times in a text, perplexity at most {ratio} times the model's own.",
    bands: "Bands are 95 % intervals over seeds. Click a chart, or choose here, to read the texts.",
    seed: "seed {seed}",
    yes: "has it",
    no: "has it not",
    empty: "(no text)",
    stopped: "broke off here",
    broke: "{n} of {of} broke off: the model's numbers were not finite",
    brokeMark: "{n} broke off",
    repeats: "most often three words in a row repeat: {n}",
    says: { head: "{title}: ", between: "; ", end: "." },
    table: "All figures as a table",
    columns: ["what is done", "strength", "texts"],
    passesColumn: "bounds",
    pass: "all hold",
    writing: {
      title: "Write another",
      says:
        "This page holds the model and writes the chosen kind at any strength, with any seed, as the sweep did. " +
        "What it writes is not part of the curves.",
      strength: "Strength, times its maximum",
      seed: "Seed",
      write: "Write",
      stop: "Stop",
      status: { idle: "", writing: "writing", stopped: "stopped", error: "failed" },
      cannot: "This page cannot write what “{kind}” does: choose another kind above.",
      refused: "{name}: a number from {low} to {high}; it stays {now}.",
      default: "Nothing done",
      at: "{kind} at {multiple}×",
      here: "{title}, seed {seed}: ",
      apart: "written here, by the model in this page; it is not part of the curves.",
      held:
        "written here, by the model in this page; it is not part of the curves, which have their own text of " +
        "it above.",
      broke: "broke off here",
      turn: "The next turn: the sweep reads a text up to here.",
      empty: "(no text)",
    },
    code: "The same in Python",
    chart: {
      label: "{name}. {kind} at {multiple}×: {value}.",
      none: "not measured",
      interval: "{value} ({low} to {high})",
      strength: "strength",
    },
  },
};
