// Keys: an instrument's own are kept from the notebook around it.

/**
 * Whether a key is pressed together with one that makes it the page's: saving, copying, ...
 *
 * @param {KeyboardEvent} event
 */
export const isShortcut = (event) => event.ctrlKey || event.metaKey || event.altKey;

/**
 * Keep the keys that are pressed inside `el` from the notebook around it, and hand them to `handler` first.
 * Jupyter listens in the capture phase and takes arrows from native sliders, so this must stand on the window. The
 * browser's own action (a slider that moves) does not need the event to travel on.
 *
 * @param {Element} el
 * @param {(event: KeyboardEvent) => boolean} handler says whether it used the key
 */
export function ownKeys(el, handler = () => false) {
  /** @param {KeyboardEvent} event */
  const own = (event) => {
    if (!event.composedPath().includes(el)) return;
    if (event.key === "Tab" || (isShortcut(event) && event.key !== "Enter")) return;
    const used = handler(event);
    if (used || !isShortcut(event)) event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", own, true);
  return () => window.removeEventListener("keydown", own, true);
}
