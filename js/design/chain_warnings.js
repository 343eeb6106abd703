/**
 * Warnings with their reasons, each marked by a sign as well as by its colour.
 */

import { h, UNSEEN } from "../shared/dom.js";

/** @returns {{element: HTMLElement, show: (texts: string[]) => void}} */
export function createWarnings() {
  const element = h("div");
  let shown = "";
  return {
    element,
    show(texts) {
      if (shown !== texts.join()) {
        shown = texts.join();
        element.replaceChildren(
          ...texts.map((text) =>
            h(
              "p",
              { class: "lrw-warning", role: "note", hook: "chain-warning" },
              h("span", { ...UNSEEN }, "⚠"),
              h("span", null, text),
            ),
          ),
        );
      }
    },
  };
}
