/**
 * Taking a rate: from what a plot shows of it, or with a button.
 */

import { setDisabled } from "../shared/controls.js";
import { listen, setAttribute } from "../shared/dom.js";
import { label, writeWith } from "./marks.js";

/** @typedef {{x: number, y: number, rate: number}} Spot In CSS pixels of the plot. */

/** Pixels within which a click means a spot. */
const REACH = 14;

/**
 * @param {Spot[]} spots
 * @param {number} x
 * @param {number} y
 * @returns {number | null} the rate of the nearest spot within reach
 */
export function rateAt(spots, x, y) {
  let nearest = REACH;
  let found = null;
  for (const spot of spots) {
    const distance = Math.hypot(spot.x - x, spot.y - y);
    if (distance <= nearest) {
      nearest = distance;
      found = spot.rate;
    }
  }
  return found;
}

/**
 * @param {HTMLElement} box
 * @param {object} options
 * @param {() => Spot[]} options.spots What was painted last.
 * @param {(rate: number | null) => void} options.onLight What the pointer is at.
 * @param {(rate: number) => void} options.onPick
 * @param {AbortSignal} options.signal
 */
export function createPicker(box, { spots, onLight, onPick, signal }) {
  /** @param {MouseEvent} event */
  const under = ({ clientX, clientY }) => {
    const { left, top } = box.getBoundingClientRect();
    return rateAt(spots(), clientX - left, clientY - top);
  };
  listen(
    box,
    {
      pointermove(event) {
        const rate = under(event);
        box.style.cursor = rate === null ? "" : "pointer";
        onLight(rate);
      },
      pointerleave: () => onLight(null),
      click(event) {
        const rate = under(event);
        if (rate !== null) {
          onPick(rate);
        }
      },
    },
    signal,
  );
}

/**
 * @param {HTMLElement} use a button that takes a rate
 * @param {string} title
 * @param {string | null} why It cannot be taken just now; that is the tooltip meanwhile.
 */
export function offer(use, title, why) {
  delete use.dataset.title;
  setAttribute(use, "title", title);
  setDisabled(use, why !== null, why ?? undefined);
}

/**
 * What an empty plot of probes waits for.
 *
 * @param {import("../shared/traits.js").FindState | null} find
 * @returns {string}
 */
export function emptyText(find) {
  if (find?.state !== "running") {
    // The advice may come a moment before the runs that it rests on.
    return find?.advice?.state === "advised" ? "" : "No short runs were made.";
  }
  return find.phase === "probes" ? "The short runs begin…" : "Short runs follow the range test.";
}

/**
 * @param {import("../shared/plot.js").Painter} painter
 * @param {import("../shared/traits.js").FindState | null} find
 */
export function paintEmpty(painter, find) {
  const { box } = painter;
  const text = emptyText(find);
  writeWith(painter);
  const width = painter.context.measureText(text).width;
  const middle = box.top + box.height / 2;
  label(painter, text, box.left + (box.width - width) / 2, middle, width, painter.color("muted"));
}
