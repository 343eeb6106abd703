/**
 * The flags that edits leave: a vertical line at the step, with what was done beside it.
 */

import { clear, h } from "../shared/dom.js";
import { formatSteps } from "../shared/format.js";
import { GUTTER } from "../shared/scale.js";

/** @typedef {{step: number, label: string}} Edit */

const ROWS = 2;
const LETTER = 6.4;
const PADDING = 14;
// Lines beyond this many say nothing more; the journal has them all.
const MOST_FLAGS = 200;

/**
 * Where flags stand and which of them have room for their label: the newest first, in two rows.
 *
 * @param {Edit[]} edits rising
 * @param {number} total Steps from the left end of the axis to its right end.
 * @param {number} width Of the plotting area, in pixels.
 * @returns {{edit: Edit, left: number, row: number | null, flip: boolean}[]} `flip`: the label
 *   stands left of its line.
 */
export function placeFlags(edits, total, width) {
  /** @type {[number, number][][]} */
  const taken = Array.from({ length: ROWS }, () => []);
  const recent = edits.slice(-MOST_FLAGS);
  return recent
    .map((edit) => ({ edit, left: total > 0 ? (edit.step / total) * width : 0 }))
    .reverse()
    .map(({ edit, left }) => {
      const size = edit.label.length * LETTER + PADDING;
      const flip = left + size > width;
      const from = flip ? left - size : left;
      const row = taken.findIndex((spans) =>
        spans.every(([start, end]) => from + size <= start || from >= end),
      );
      if (row < 0 || from < 0) {
        return { edit, left, row: null, flip };
      }
      taken[row].push([from, from + size]);
      return { edit, left, row, flip };
    })
    .reverse();
}

/**
 * A layer of flags over a plot whose plotting area keeps the shared gutter.
 *
 * @returns {{element: HTMLElement, update: (edits: Edit[], total: number) => void}}
 */
export function createFlags() {
  const element = h("div", {
    class: "lrw-overlay lrw-flags",
    "aria-hidden": "true",
    style: `inset-inline: ${GUTTER.left}px ${GUTTER.right}px`,
  });
  let shown = "";

  return {
    element,
    update(edits, total) {
      const width = element.clientWidth;
      const key = JSON.stringify([width, total, edits.length, edits.at(-1), edits[0]]);
      if (key === shown || width === 0) {
        return;
      }
      shown = key;
      clear(element).append(
        ...placeFlags(edits, total, width).map(({ edit, left, row, flip }) =>
          h(
            "div",
            {
              class: flip ? "lrw-flag lrw-flag-left" : "lrw-flag",
              style: `left: ${left.toFixed(1)}px`,
            },
            row !== null &&
              h(
                "span",
                {
                  class: "lrw-flag-label",
                  style: `top: ${row * 18}px`,
                  title: `step ${formatSteps(edit.step)}`,
                },
                edit.label,
              ),
          ),
        ),
      );
    },
  };
}
