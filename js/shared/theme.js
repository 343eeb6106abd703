/**
 * The theme of the page around the widget: dark or light, and the tokens as colours that a
 * canvas understands.
 */

import { h, UNSEEN } from "./dom.js";
import { createListeners, onAbort } from "./listeners.js";

/**
 * @typedef {object} Theme
 * @property {(token: string) => string} color `color("series-1")` is `--lrw-series-1` resolved.
 * @property {() => string} font The UI font family.
 * @property {(fn: () => void, signal: AbortSignal) => void} onChange
 */

/**
 * What the page says outright. Null leaves it to `prefers-color-scheme`.
 *
 * @param {Document} page
 * @returns {"light" | "dark" | null}
 */
function declaredTheme(page) {
  const jupyter = page.body.dataset.jpThemeLight;
  if (jupyter) {
    return jupyter === "true" ? "light" : "dark";
  }
  for (const element of [page.body, page.documentElement]) {
    const words = [
      ...element.classList,
      element.dataset.theme,
      element.dataset.vscodeThemeKind,
      element.dataset.colorMode,
    ];
    for (const word of words) {
      const theme = /^(?:vscode-)?(?:high-contrast-)?(light|dark)(?:-theme)?$/.exec(word ?? "");
      if (theme) {
        return theme[1] === "light" ? "light" : "dark";
      }
    }
  }
  return null;
}

/**
 * Watch the theme for one view.
 *
 * @param {HTMLElement} root The view's `.lrw-root`; it gets `data-lrw-theme`.
 * @param {AbortSignal} signal
 * @returns {Theme}
 */
export function createTheme(root, signal) {
  const page = root.ownerDocument;
  /** @type {Map<string, string>} */
  const colors = new Map();
  /** @type {import("./listeners.js").Listeners<[]>} */
  const listeners = createListeners();
  // A custom property's computed value is unresolved text: only a real colour property of a
  // real element gives what light-dark() and color-mix() come to.
  const probe = h("span", {
    class: "lrw-hidden lrw-own-colors",
    ...UNSEEN,
  });
  root.append(probe);

  function read() {
    const declared = declaredTheme(page);
    if (declared) {
      root.dataset.lrwTheme = declared;
    } else {
      delete root.dataset.lrwTheme;
    }
    colors.clear();
    listeners.tell();
  }

  let timer = 0;
  function readSoon() {
    // JupyterLab marks the body before the new theme's style sheet has been applied.
    read();
    clearTimeout(timer);
    timer = setTimeout(read, 200);
  }

  const observer = new MutationObserver(readSoon);
  for (const element of [page.body, page.documentElement]) {
    observer.observe(element, {
      attributeFilter: [
        "class",
        "data-jp-theme-light",
        "data-jp-theme-name",
        "data-theme",
        "data-vscode-theme-kind",
        "data-color-mode",
      ],
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readSoon, { signal });
  onAbort(signal, () => {
    observer.disconnect();
    clearTimeout(timer);
    listeners.clear();
  });
  read();

  return {
    color(token) {
      const known = colors.get(token);
      if (known !== undefined) {
        return known;
      }
      probe.style.color = `var(--lrw-${token})`;
      const color = getComputedStyle(probe).color;
      // Before the root is in the page nothing resolves: such an answer is not kept.
      if (color) {
        colors.set(token, color);
      }
      return color;
    },
    font: () => getComputedStyle(root).fontFamily,
    onChange: listeners.add,
  };
}
