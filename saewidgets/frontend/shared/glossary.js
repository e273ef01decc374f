// Words of the field: what each means, and the element that says so on hover and on focus.

import { h } from "./elements.js";

/** @import { Term } from "../types/host.js" */

// Where a word explains itself of its own accord: headings, and the notes below them.
const HEADS = "h2, h3, h4, th[scope=col], figcaption > span:first-child, .saew-kicker, p.saew-note";
const NOT_IN = "label, button, summary, a, [aria-live], [role=status], [hidden], details:not([open]), .saew-notes";
const LINGER = 150; // ms for which the explanation stays, so that the pointer can go to it

/** What each word means, and the other forms in which it stands in a sentence. */
export const glossary = {
  en: {
    activation: { means: "How strongly a feature is on at a token, in SAE units. 0: the feature is off." },
    ablation: {
      forms: ["ablated", "ablates", "ablate"],
      means: "Setting a feature to 0 and running the model again, to measure what it does.",
    },
    attribution: {
      means:
        "An estimate of what ablating a feature would change: its activation times the gradient of the result " +
        "along the feature's direction.",
    },
    AUROC: {
      means:
        "Area under the receiver operating characteristic: how often a token of the concept has a higher " +
        "activation than a token that is not. 0.5: chance, 1: always.",
    },
    bias: { means: "A number that is added before the ReLU. A negative one hides small values." },
    clamp: {
      forms: ["clamped", "clamps"],
      means: "Setting a feature to a fixed value at tokens of our choice while the model runs.",
    },
    correlation: {
      forms: ["Pearson correlation"],
      means:
        "Pearson's r between two activations over the tokens: 1 they rise and fall together, 0 no relation, −1 " +
        "opposite.",
    },
    cosine: {
      forms: ["cosines", "cosine similarity"],
      means: "Of the angle between two directions: 1 the same direction, 0 a right angle, −1 opposite.",
    },
    "dead feature": {
      forms: ["dead features", "dead"],
      means: "A feature that was off at every token that was looked at.",
    },
    decoder: {
      forms: ["decoder direction", "decoder directions"],
      means:
        "The second layer of a sparse autoencoder. Each feature has one decoder direction, which is added to the " +
        "reconstruction as strongly as the feature is on.",
    },
    density: {
      forms: ["densities"],
      means: "Share of the tokens (of a toy model: of the inputs) at which a feature is on.",
    },
    encoder: {
      forms: ["encoder direction", "encoder directions"],
      means: "The first layer of a sparse autoencoder: from an activation vector to the activations of the features.",
    },
    feature: {
      forms: ["features"],
      means:
        "Something about the input that a model represents by a direction: a place, a language, a kind of word. " +
        "Those of a sparse autoencoder are the directions that it has learned, with numbers.",
    },
    "feature dimensionality": {
      forms: ["dimensionality"],
      means:
        "A feature's share of the hidden dimensions of a toy model: 1 with a dimension of its own, 1/2 opposite " +
        "another feature, 0 where it is left out.",
    },
    FVU: {
      forms: ["fraction of variance unexplained", "variance unexplained", "unexplained variance"],
      means:
        "Fraction of variance unexplained. 0: the reconstruction is perfect. 1: no better than always answering " +
        "with the mean.",
    },
    importance: { means: "How much the error of a feature counts in the loss of a toy model." },
    interference: {
      means: "What one feature adds to the read-out of another, because their directions are not at a right angle.",
    },
    kappa: {
      means:
        "How far two judges agree beyond chance: 1 always, 0 no more than chance. Mistakes by more count for more.",
    },
    KL: {
      forms: ["KL divergence"],
      means: "Kullback–Leibler divergence: how far apart two predictions of the next token are, in nats. 0: the same.",
    },
    L0: { forms: ["active features per token"], means: "L0: how many features are on per token, on average." },
    logit: {
      forms: ["logits"],
      means:
        "The model's score of a next token. Softmax turns the scores into probabilities: a logit higher by 1 " +
        "multiplies a token's odds by 2.7.",
    },
    loss: {
      forms: ["losses"],
      means:
        "What training makes small. Of a language model: minus the logarithm of the probability of the token that " +
        "came, in nats. Of an SAE or a toy model: the error of its reconstruction, and penalties.",
    },
    "loss recovered": {
      means:
        "How well the model predicts with the reconstruction in the place of the activation. 1: as well as before. " +
        "0: as badly as with zeros there.",
    },
    nats: {
      forms: ["nat"],
      means:
        "The unit of loss and KL, from the natural logarithm. A loss higher by 1 nat: the token was 2.7 times less " +
        "likely.",
    },
    perplexity: {
      means: "e to the mean loss per token in nats: among how many equally likely tokens the model seems to choose.",
    },
    polytope: {
      forms: ["polytopes"],
      means:
        "The figure that features make as points: two opposite ones a digon, three in a plane a triangle, four in " +
        "space a tetrahedron.",
    },
    precision: { means: "Of the tokens at which the feature is on, the share that express the concept." },
    quantile: { means: "The share of the feature's own activations above 0 that are smaller than this one." },
    recall: { means: "Of the tokens that express the concept, the share at which the feature is on." },
    ReLU: { means: "Keeps what is above 0 and sets the rest to 0." },
    "residual stream": {
      means: "The vector that a model holds for each token from layer to layer. Every layer reads it and adds to it.",
    },
    SAE: {
      forms: ["sparse autoencoder", "SAEs"],
      means: "Sparse autoencoder: rewrites an activation vector as a few active features, and back.",
    },
    "SAE units": {
      means: "The units of a feature's activations, as the encoder gives them. They compare within one SAE only.",
    },
    seed: { means: "The start of the random numbers. The same seed and settings give the same result." },
    sensitivity: {
      forms: ["sensitive"],
      means: "How much of what expresses the concept the feature finds: the share of cases in which it is on.",
    },
    sparsity: {
      forms: ["sparsity coefficient"],
      means: "How rarely features are on. The sparsity coefficient says how much the training pays for it.",
    },
    specificity: {
      forms: ["specific"],
      means: "How much of what the feature is on at has to do with the concept: the share of its activations.",
    },
    superposition: { means: "More features than dimensions: their directions overlap, and so they interfere." },
    temperature: { means: "Of sampling: 0 always takes the likeliest token; the higher, the more even the choice." },
    TopK: { means: "Keeps the k largest activations of a token and sets all others to 0." },
    "usable window": {
      means:
        "The multiples of a feature's maximum at which its clamp was measured to work: the concept is named, the " +
        "text stays fluent.",
    },
  },
};

/** @typedef {Record<string, { means: string, forms?: string[] }>} Glossary */

/**
 * Words that explain themselves inside `root`. In headings and notes they do so of their own accord once `watch()` was
 * called: each word in the first that has it. Elsewhere `term(word)` is the element for a word of the table, and
 * `explain(text)` a text in which the first occurrence of each is one. `keys` uses Escape while one is shown.
 *
 * @param {HTMLElement} root
 * @param {Glossary} table
 */
export function terms(root, table) {
  const own = `saew-term-${Math.random().toString(36).slice(2)}`;
  const known = wordsOf(table);
  const spoken = h("div", { hidden: true }); // for screen readers: hidden text that aria-describedby names is read
  const tip = h("div", { class: "saew-meaning", popover: "manual", "aria-hidden": "true", hidden: true });
  const { show, hide, later, keep, at } = over(tip, (word) => table[word]?.means ?? "");

  /** @type {Term} */
  const term = (word, shown = word) => {
    const means = table[word]?.means;
    if (!means) throw new Error(`no word ${word} in the glossary`);
    if (!tip.isConnected) listen();
    const id = `${own}-${word.replace(/\W/g, "-")}`;
    if (!spoken.querySelector(`[id="${id}"]`)) spoken.append(h("span", { id }, means));
    return h("button", { type: "button", class: "saew-term", "aria-describedby": id, "data-term": word }, shown);
  };

  /** @param {Event} event */
  const found = (event) => (event.target instanceof Element ? event.target.closest(".saew-term, .saew-meaning") : null);
  /** @param {Event} event */
  const look = (event) => {
    const target = found(event);
    if (target === tip) keep();
    else if (target) show(target);
    else if (at() && event.type === "mouseover" && root.querySelector(".saew-term:focus") !== at()) later();
  };
  /** The focus goes: nothing lingers, and takes the next Escape, unless the pointer is there. @param {Event} event */
  const leave = (event) => {
    if (!found(event)) return;
    if (root.querySelector(".saew-term:hover, .saew-meaning:hover")) later();
    else hide();
  };
  /** Once there is a word: an instrument without one pays nothing. */
  function listen() {
    root.append(spoken, tip);
    for (const name of ["mouseover", "focusin", "click"]) root.addEventListener(name, look);
    root.addEventListener("mouseleave", later);
    root.addEventListener("focusout", leave);
  }

  /** @param {{ text: string, word: string }[]} parts */
  const made = (parts) => parts.map((part) => (part.word ? term(part.word, part.text) : part.text));
  const observer = new MutationObserver(mark);

  /** Where a heading was written anew, its words are found again; one that says what it said stays as it is. */
  function mark() {
    const seen = new Set();
    for (const head of root.querySelectorAll(HEADS)) {
      const plain = [...head.childNodes].every((node) => !(node instanceof Element) || node.matches(".saew-term"));
      if (!plain || head.closest(NOT_IN)) continue;
      const fresh = known.filter(({ word }) => !seen.has(word));
      const parts = split(head.textContent ?? "", fresh);
      const now = parts.flatMap(({ word }) => (word ? [word] : []));
      const before = [...head.children].map((el) => el.getAttribute("data-term"));
      for (const word of now) seen.add(word);
      if (now.join() !== before.join()) head.replaceChildren(...made(parts));
    }
    observer.takeRecords?.(); // what was just done needs no second look
  }

  return {
    term,
    explain: (/** @type {string} */ text) => made(split(text, known)),
    watch() {
      mark();
      const attributeFilter = ["hidden", "open"]; // what is hidden now has no claim to a word
      observer.observe(root, { childList: true, characterData: true, subtree: true, attributeFilter });
    },
    keys: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || !at()) return false;
      hide();
      return true;
    },
    stop() {
      observer.disconnect();
      hide();
    },
  };
}

/**
 * Shows a meaning at its word, above all that would cut it off, until it is left.
 *
 * @param {HTMLElement} tip
 * @param {(word: string) => string} meaning
 */
function over(tip, meaning) {
  let timer = 0;
  /** @type {Element | null} */
  let at = null;
  const keep = () => clearTimeout(timer);
  const hide = () => {
    keep();
    if (!at) return;
    at = null;
    window.removeEventListener("scroll", hide, true);
    tip.hidePopover?.();
    tip.hidden = true;
  };
  /** @param {Element} target */
  const show = (target) => {
    keep();
    if (target === at) return;
    at = target;
    tip.textContent = meaning(target.getAttribute("data-term") ?? "");
    tip.hidden = false;
    if (!tip.matches(":popover-open")) tip.showPopover?.();
    window.addEventListener("scroll", hide, true);
    const box = target.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, window.innerWidth - tip.offsetWidth - 8));
    const below = box.bottom + 6;
    const top = below + tip.offsetHeight < window.innerHeight ? below : Math.max(8, box.top - tip.offsetHeight - 6);
    tip.style.setProperty("left", `${left}px`);
    tip.style.setProperty("top", `${top}px`);
  };
  const later = () => {
    keep();
    timer = Number(setTimeout(hide, LINGER));
  };
  return { show, hide, later, keep, at: () => at };
}

/**
 * Each form of each word in small letters, with the word; the longest first: "loss recovered" comes before "loss".
 *
 * @param {Glossary} table
 */
export function wordsOf(table) {
  return Object.entries(table)
    .flatMap(([word, { forms = [] }]) => [word, ...forms].map((form) => ({ form: form.toLowerCase(), word })))
    .sort((a, b) => b.form.length - a.form.length);
}

/**
 * A text in pieces: words of the glossary, each at its first occurrence only, and what stands between them.
 *
 * @param {string} text
 * @param {{ form: string, word: string }[]} known
 * @returns {{ text: string, word: string }[]}
 */
export function split(text, known) {
  const small = text.toLowerCase();
  const seen = new Set();
  const pieces = [];
  let from = 0;
  for (let i = 0; i < text.length; ) {
    const hit = starts(small, i)
      ? known.find(({ form }) => small.startsWith(form, i) && ends(small, i + form.length))
      : undefined;
    if (!hit || seen.has(hit.word)) {
      i += hit ? hit.form.length : 1;
      continue;
    }
    seen.add(hit.word);
    if (i > from) pieces.push({ text: text.slice(from, i), word: "" });
    from = i + hit.form.length;
    pieces.push({ text: text.slice(i, from), word: hit.word });
    i = from;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), word: "" });
  return pieces;
}

// Chinese has no spaces between words: a word begins and ends anywhere beside its characters.
const INSIDE = /(?!\p{sc=Han})[\p{L}\p{N}_]/u;

/** @param {string} text @param {number} i */
const starts = (text, i) => i === 0 || !INSIDE.test(text[i - 1] ?? "");

/** @param {string} text @param {number} i */
const ends = (text, i) => i >= text.length || !INSIDE.test(text[i] ?? "");
