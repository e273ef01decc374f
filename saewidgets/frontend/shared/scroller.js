// A place for a table that may be wider than the page: it scrolls sideways, and says so.

import { h } from "./elements.js";

/**
 * A scroller. `update(label, ...children)` puts `children` into it; the place to which it was scrolled stays. It takes
 * the keyboard only while there is something to scroll.
 *
 * @param {string} hint says that there is more at the side
 * @param {string} look a class of its own
 */
export function scroller(hint, look = "") {
  const box = h("div", { class: `saew-scroll ${look}`.trim() });
  const more = h("p", { class: "saew-note saew-sideways", hidden: true }, hint);
  const el = h("div", { class: "saew-scroller" }, box, more);
  let name = "";
  const measure = () => {
    const wide = box.scrollWidth > box.clientWidth + 1;
    const scrolls = wide || box.scrollHeight > box.clientHeight + 1;
    more.hidden = !wide;
    el.toggleAttribute("data-more", wide && box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    for (const [key, value] of Object.entries({ tabindex: "0", role: "region", "aria-label": name })) {
      if (scrolls) box.setAttribute(key, value);
      else box.removeAttribute(key);
    }
  };
  const observer = new ResizeObserver(measure);
  observer.observe(box);
  box.addEventListener("scroll", measure, { passive: true });
  /** @param {string} label for a screen reader @param {Element[]} children */
  const update = (label, ...children) => {
    name = label;
    for (const child of box.children) observer.unobserve(child);
    box.replaceChildren(...children);
    for (const child of children) observer.observe(child);
  };
  return { el, update, stop: () => observer.disconnect() };
}
