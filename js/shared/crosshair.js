/**
 * One crosshair for a plot, or for several that stand above each other.
 */

import { h, listen, UNSEEN } from "./dom.js";
import { GUTTER } from "./scale.js";

/**
 * @typedef {object} Crosshair
 * @property {(box: HTMLElement) => HTMLElement} over Adds the crosshair to a plot's box, whose
 *   plotting area keeps the shared gutter; returns the box.
 * @property {(fn: (share: number | null) => void) => void} onMove Where the pointer is: 0 at the
 *   left end of the axis, 1 at its right end, null when it is elsewhere.
 */

/**
 * @param {AbortSignal} signal
 * @returns {Crosshair}
 */
export function createCrosshair(signal) {
  /** @type {HTMLElement[]} */
  const lines = [];
  /** @type {((share: number | null) => void)[]} */
  const listeners = [];

  /** @param {number | null} share */
  function move(share) {
    for (const line of lines) {
      line.hidden = share === null;
      line.style.left = `${(share ?? 0) * 100}%`;
    }
    for (const fn of listeners) {
      fn(share);
    }
  }

  return {
    over(box) {
      const line = h("div", { class: "lrw-crossline", hidden: true });
      lines.push(line);
      box.append(
        h(
          "div",
          {
            class: "lrw-overlay",
            ...UNSEEN,
            style: `inset-inline: ${GUTTER.left}px ${GUTTER.right}px`,
          },
          line,
        ),
      );
      listen(
        box,
        {
          pointermove({ clientX }) {
            const { left, width } = box.getBoundingClientRect();
            const inside = width - GUTTER.left - GUTTER.right;
            const share = (clientX - left - GUTTER.left) / inside;
            move(inside > 0 && share >= 0 && share <= 1 ? share : null);
          },
          pointerleave: () => move(null),
        },
        signal,
      );
      return box;
    },
    onMove: (fn) => listeners.push(fn),
  };
}
