// The instruments of a page, in their frames: as tall as they are, and in the theme that the reader chose for the site.
(() => {
  const scheme = () => (document.body.dataset.mdColorScheme === "slate" ? "dark" : "light");

  /** The document of a frame; null where the browser keeps it to itself, as it does between files of a disk. */
  const inside = (frame) => {
    try {
      return frame.contentDocument?.querySelector("main") ? frame.contentDocument : null;
    } catch {
      return null;
    }
  };

  const dress = (frame) => {
    const page = inside(frame);
    if (page === null || page.getElementById("chart")) return; // a chart is drawn on white
    page.documentElement.dataset.theme = scheme();
    page.documentElement.style.colorScheme = scheme();
    page.body.style.padding = "0";
    page.body.style.background = "transparent";
  };

  const fit = (frame) => {
    const page = inside(frame);
    if (page === null) return;
    const height = Math.ceil(page.body.getBoundingClientRect().height);
    if (height > 80 && Math.abs(height - frame.clientHeight) > 2) frame.style.height = `${height + 2}px`;
  };

  const begin = (frame) => {
    dress(frame);
    const page = inside(frame);
    if (page === null) return;
    new ResizeObserver(() => fit(frame)).observe(page.body);
    fit(frame);
  };

  for (const frame of document.querySelectorAll("figure.live iframe")) {
    frame.addEventListener("load", () => begin(frame));
    if (inside(frame)) begin(frame);
  }
  const redress = () => document.querySelectorAll("figure.live iframe").forEach(dress);
  new MutationObserver(redress).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
})();
