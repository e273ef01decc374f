// Keys: an instrument's own are kept from the notebook around it.

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
    const shortcut = event.ctrlKey || event.metaKey || event.altKey; // saving, copying, ... belong to the page
    if (event.key === "Tab" || (shortcut && event.key !== "Enter")) return;
    const used = handler(event);
    if (used || !shortcut) event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", own, true);
  return () => window.removeEventListener("keydown", own, true);
}
