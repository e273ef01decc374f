// The theme of the page around an instrument.

const PRINTS = ["beforeprint", "afterprint"];

/**
 * Follow the theme of the page around `el`: data-theme is "light" or "dark". Returns the function that stops it.
 *
 * @param {Element} el
 */
export function followTheme(el) {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print"); // a page of its own is printed on white paper
  let printing = false; // Chromium tells of a print by events alone, before its media query changes
  const body = document.body;
  const root = document.documentElement;
  const isDark = () => {
    if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab, Notebook
    const vscode = body.className;
    if (vscode.includes("vscode-")) return !vscode.includes("vscode-light") && !vscode.includes("high-contrast-light");
    const named = root.getAttribute("theme") || root.dataset.theme; // Colab, others
    if (named) return named === "dark";
    return media.matches && !printing && !print.matches;
  };
  const apply = () => el.setAttribute("data-theme", isDark() ? "dark" : "light");
  const observer = new MutationObserver(apply);
  observer.observe(body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light"] });
  observer.observe(root, { attributes: true, attributeFilter: ["theme", "data-theme"] });
  /** @param {Event} event */
  const told = (event) => {
    printing = event.type === "beforeprint";
    apply();
  };
  for (const query of [media, print]) query.addEventListener("change", apply);
  for (const name of PRINTS) window.addEventListener(name, told);
  apply();
  return () => {
    observer.disconnect();
    for (const query of [media, print]) query.removeEventListener("change", apply);
    for (const name of PRINTS) window.removeEventListener(name, told);
  };
}
