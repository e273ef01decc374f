// How an instrument explains itself: words that say what they mean, and notes laid over its parts.

import { glossary, terms } from "./glossary.js";
import { notes as layer } from "./notes.js";
import { words as common, inLanguage } from "./words.js";

/** @import { Model, Note } from "../types/host.js" */

/**
 * What explains the instrument in `root`. `term` and `explain` make words (see shared/glossary.js). `begin()`, once all
 * is laid out, lets words in headings explain themselves and puts the button there that opens the notes: the tables
 * {en: [{at, say}, ...]} of its notes.js. `keys(own)` is a handler of keys that serves these before `own`.
 *
 * @param {HTMLElement} root
 * @param {Model<any>} model
 * @param {{ en: Note[] } & Record<string, Note[]>} [notes]
 */
export function explained(root, model, notes) {
  const help = terms(root, inLanguage(glossary, model));
  const over = notes ? layer(root, inLanguage(notes, model), inLanguage(common, model).notes) : null;
  return {
    term: help.term,
    explain: help.explain,
    begin() {
      if (over) root.prepend(over.el);
      help.watch();
    },
    keys:
      (/** @type {((event: KeyboardEvent) => boolean) | undefined | void} */ own) =>
      (/** @type {KeyboardEvent} */ event) =>
        help.keys(event) || Boolean(over?.keys(event)) || (own ? own(event) : false),
    stop() {
      help.stop();
      over?.stop();
    },
  };
}
