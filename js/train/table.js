/**
 * A table with a name for each column.
 */

import { h } from "../shared/dom.js";

/**
 * @param {string[]} columns those that end with "#" hold numbers
 * @param {HTMLElement} body
 * @param {string} name of its class too
 */
export function createTable(columns, body, name) {
  return h(
    "table",
    { class: `lrw-table lrw-${name}-table`, "aria-label": name },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        ...columns.map((column) =>
          h(
            "th",
            { scope: "col", class: column.endsWith("#") ? "lrw-column lrw-number" : "lrw-column" },
            column.replace("#", ""),
          ),
        ),
      ),
    ),
    body,
  );
}
