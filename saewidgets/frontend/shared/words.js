// Words: the tables of the shared parts, one per language, and how a sentence of a table is filled in.

/** @import { Model } from "../types/host.js" */

export const words = {
  en: {
    lang: "en",
    dismiss: "Dismiss the message",
    sideways: "There are more columns: scroll sideways.",
    notes: { ask: "What am I looking at?", close: "Close the notes" },
    reset: "Reset",
    life: {
      saved: "This is the picture as it was saved. Run its cell to bring it to life.",
      restarted: "The kernel has restarted and no longer knows this instrument. Run its cell again.",
      ended: "The kernel was shut down, and this instrument with it. Start the kernel and run its cell again.",
      lost: "The kernel no longer knows this instrument. Run its cell again.",
    },
    tokens: {
      weak: "weak",
      strong: "strong",
      share: "part of",
      shareOf: "{character}, token {at} of {of}",
    },
    turns: {
      title: "Turns of the dialogue",
      roles: { system: "system", user: "user", assistant: "assistant" },
    },
    charts: {
      id: "id {id}",
    },
    histogram: {
      label: "Histogram of {n} {what}, from {low} to {high}. Most lie between {a} and {b}.",
      empty: "Histogram of {what}: there are none.",
      bin: "{a} to {b}: {n} {count}",
    },
    picker: {
      search: "Search features by number, label or promoted token",
      placeholder: "Label, token or number",
      results: "features that match",
      none: "No feature matches.",
      why: "promotes {token}",
    },
    matrix: {
      label: "{name}, {rows} by {columns}",
      cell: "{name}, row {row}, column {column}: {value}",
    },
  },
};

/** The table of the one language that an instrument is joined with: what a part says that is given no words. */
export const sent = Object.values(words)[0];

/**
 * The table in the language that the page asks for by the trait `_language`; English where there is none.
 *
 * @template W
 * @param {{ en: W } & Record<string, W>} tables
 * @param {Model<any>} model
 * @returns {W}
 */
export function inLanguage(tables, model) {
  return tables[model.get("_language") ?? "en"] ?? tables.en;
}

/**
 * Replace {name} in a sentence of a text table.
 *
 * @param {string} sentence
 * @param {Record<string, unknown>} values
 */
export function say(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
