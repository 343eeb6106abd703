/**
 * The flags that edits leave: a vertical line at the step, with what was done beside it.
 */

import { clear, h, UNSEEN } from "../shared/dom.js";
import { formatSteps } from "../shared/format.js";
import { GUTTER } from "../shared/scale.js";

/** @typedef {import("../shared/traits.js").EditState} Edit */

const ROWS = 2;
const LETTER = 6.4;
const PADDING = 14;
/** Pixels from one line to the next: nearer, they would be a wall. */
const APART = 8;
// Lines beyond this many say nothing more; the journal has them all.
const MOST_FLAGS = 200;

/** What stands before the words, so that no kind is told by its colour alone. */
/** @type {Record<string, string>} */
const SIGNS = { guard: "⚠\ufe0e ", rewind: "↶ ", fork: "↗\ufe0e " };

/** @param {Edit} edit */
export function flagText({ kind = "edit", label }) {
  return (SIGNS[kind] ?? "") + label;
}

/**
 * Where flags stand and which of them have room for their label: the newest first, in two rows.
 * What was undone gives way to all others, and lines without a label to those beside them.
 *
 * @param {Edit[]} edits in the order in which they were made
 * @param {number} total Steps from the left end of the axis to its right end.
 * @param {number} width Of the plotting area, in pixels.
 * @returns {{edit: Edit, left: number, row: number | null, flip: boolean}[]} `flip`: the label
 *   stands left of its line.
 */
export function placeFlags(edits, total, width) {
  /** @type {[number, number][][]} */
  const taken = Array.from({ length: ROWS }, () => []);
  const recent = edits.slice(-MOST_FLAGS);
  const placed = recent.map((edit) => {
    const left = total > 0 ? (edit.step / total) * width : 0;
    const size = flagText(edit).length * LETTER + PADDING;
    const flip = left + size > width;
    return { edit, left, size, flip, row: /** @type {number | null} */ (null) };
  });
  for (const flag of [
    ...placed.filter(({ edit }) => !edit.undone).reverse(),
    ...placed.filter(({ edit }) => edit.undone).reverse(),
  ]) {
    const from = flag.flip ? flag.left - flag.size : flag.left;
    const row = taken.findIndex((spans) =>
      spans.every(([start, end]) => from + flag.size <= start || from >= end),
    );
    if (row >= 0 && from >= 0) {
      taken[row].push([from, from + flag.size]);
      flag.row = row;
    }
  }
  const labelled = placed.filter(({ row }) => row !== null).map(({ left }) => left);
  let before = Number.NEGATIVE_INFINITY;
  return placed
    .filter(({ left, row }) => {
      const near =
        Math.abs(left - before) < APART || labelled.some((at) => Math.abs(left - at) < APART);
      if (row === null && near) {
        return false;
      }
      before = left;
      return true;
    })
    .map(({ edit, left, row, flip }) => ({ edit, left, row, flip }));
}

/**
 * A layer of flags over a plot whose plotting area keeps the shared gutter.
 *
 * @returns {{element: HTMLElement, update: (edits: Edit[], total: number) => void}}
 */
export function createFlags() {
  const element = h("div", {
    class: "lrw-overlay lrw-flags",
    ...UNSEEN,
    style: `inset-inline: ${GUTTER.left}px ${GUTTER.right}px`,
  });
  let shown = "";

  return {
    element,
    update(edits, total) {
      const width = element.clientWidth;
      const undone = edits.reduce((sum, edit, i) => sum + (edit.undone ? i + 1 : 0), 0);
      const key = JSON.stringify([width, total, edits.length, edits.at(-1), edits[0], undone]);
      if (key === shown || width === 0) {
        return;
      }
      shown = key;
      clear(element).append(
        ...placeFlags(edits, total, width).map(({ edit, left, row, flip }) =>
          h(
            "div",
            {
              class: [
                `lrw-flag lrw-flag-${edit.kind ?? "edit"}`,
                flip && "lrw-flag-left",
                edit.undone && "lrw-flag-undone",
              ]
                .filter(Boolean)
                .join(" "),
              style: `left: ${left.toFixed(1)}px`,
            },
            row !== null &&
              h(
                "span",
                {
                  class: "lrw-flag-label",
                  style: `top: ${row * 18}px`,
                  title: `step ${formatSteps(edit.step)}${edit.undone ? ", undone" : ""}`,
                },
                flagText(edit),
              ),
          ),
        ),
      );
    },
  };
}
