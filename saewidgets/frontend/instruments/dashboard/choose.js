// Choosing a token of an example, by mouse and by keys.

/**
 * Choose a token of an example by click, or by the returned handler of keys; choose it again to let it go.
 *
 * @param {HTMLElement} root
 * @param {() => number[] | null} token
 * @param {(token: number[] | null) => void} set
 */
export function chooser(root, token, set) {
  const choose = (/** @type {Event} */ event) => {
    const target = event.target instanceof Element ? event.target : null;
    const chosen = target?.closest(".saew-example .saew-token");
    if (!chosen?.saewPlace) return false;
    const [context, position] = chosen.saewPlace;
    const now = token();
    set(now?.[0] === context && now?.[1] === position ? null : [context, position]);
    return true;
  };
  root.addEventListener("click", (event) => {
    if (!String(window.getSelection())) choose(event);
  });
  return (/** @type {KeyboardEvent} */ event) => {
    if ((event.key !== "Enter" && event.key !== " ") || !choose(event)) return false;
    event.preventDefault();
    return true;
  };
}
