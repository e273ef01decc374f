// Children that are drawn anew without taking the keyboard's place away.

/**
 * Put new children in the place of the old, by `put` where the host has a way of its own, and the focus back on the
 * control that had it: controls are told apart by `data-key`.
 *
 * @param {Element} host
 * @param {Element[]} children
 */
export function keeping(host, children, put = () => host.replaceChildren(...children)) {
  const focused = document.activeElement;
  const key = focused && host.contains(focused) ? focused.getAttribute("data-key") : null;
  put();
  if (key === null) return;
  const controls = /** @type {NodeListOf<HTMLElement>} */ (host.querySelectorAll("[data-key]"));
  [...controls].find((control) => control.getAttribute("data-key") === key)?.focus({ preventScroll: true });
}
