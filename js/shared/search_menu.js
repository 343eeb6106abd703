/**
 * A menu with a field above it: its items are those that what was typed finds.
 */

import { h } from "./dom.js";
import { menu } from "./menu.js";

/**
 * @param {Omit<Parameters<typeof menu>[0], "items" | "head"> & {
 *   items: (text: string) => import("./menu.js").MenuItem[], what: string, search: string}} options
 *   `what` is searched; `search` is the field's `data-lrw`
 * @returns {HTMLElement}
 */
export function searchMenu({ items, what, search, ...options }) {
  const { signal } = options;
  const field = h("input", {
    type: "text",
    class: "lrw-input",
    placeholder: "Search",
    "aria-label": `search the ${what}`,
    autocomplete: "off",
    autofocus: true,
    hook: search,
    signal,
    on: {
      input: () => found.refresh(),
      /** @param {KeyboardEvent} event */
      keydown(event) {
        const [first] = items(field.value.trim());
        if (event.key === "Enter" && field.value && first) {
          // The button that gets the focus back would open the menu again.
          event.preventDefault();
          found.close();
          first.onClick();
        }
      },
    },
  });
  const found = menu({
    ...options,
    head: field,
    items(opening) {
      if (opening) {
        field.value = "";
      }
      return items(field.value.trim());
    },
  });
  return found.element;
}

/**
 * @param {string[]} texts what is said of something
 * @param {string} typed every word of it must occur somewhere
 */
export function matches(texts, typed) {
  const words = texts.join(" ").toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => words.includes(word));
}
