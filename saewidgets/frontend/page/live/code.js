// Python that repeats a text, as `to_code` writes it.

/** @typedef {import("../../shared/turns.js").Prompt} Prompt */
/** @typedef {{ feature: number, value: number, scope: number | string }} Clamp */

const NAMED = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\\", "\\\\"],
]);

/** A text as Python writes it. @param {string} text */
export function pythonText(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const hex = (/** @type {number} */ code, /** @type {number} */ n) => code.toString(16).padStart(n, "0");
  const one = (/** @type {string} */ c) => {
    const code = /** @type {number} */ (c.codePointAt(0));
    if (c === quote) return `\\${c}`;
    if (NAMED.has(c)) return /** @type {string} */ (NAMED.get(c));
    if (c === " " || !/[\p{C}\p{Z}]/u.test(c)) return c;
    return code < 256 ? `\\x${hex(code, 2)}` : code < 65536 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  };
  return quote + Array.from(text, one).join("") + quote;
}

/** A float as Python writes it: the shortest that is read back as the same. @param {number} x */
export function pythonFloat(x) {
  const size = Math.abs(x);
  if (x !== 0 && (size < 1e-4 || size >= 1e16)) return x.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const text = Object.is(x, -0) ? "-0" : String(x);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** @param {Prompt} prompt */
function pythonPrompt(prompt) {
  if (typeof prompt === "string") return pythonText(prompt);
  const turns = prompt.map(({ role, content }) => `(${pythonText(role)}, ${pythonText(content)})`);
  return `sw.Dialogue([${turns.join(", ")}])`;
}

/**
 * @param {string} opening the lines that make model, SAE and steerer
 * @param {Prompt} prompt
 * @param {Clamp[]} clamps
 * @param {{ n_tokens: number, seed: number, temperature: number }} how
 */
export function codeOf(opening, prompt, clamps, { n_tokens, seed, temperature }) {
  const own = clamps.map(({ feature, value, scope }) => {
    const where = typeof scope === "number" ? String(scope) : pythonText(scope);
    return `sw.Clamp(feature=${feature}, value=${pythonFloat(value)}, scope=${where})`;
  });
  const how = `n_tokens=${n_tokens}, seed=${seed}, temperature=${pythonFloat(temperature)}`;
  return `${opening}print(steer.generate(${pythonPrompt(prompt)}, [${own.join(", ")}], ${how}).text)`;
}
