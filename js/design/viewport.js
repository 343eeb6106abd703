/**
 * Where the plotting area is, and which steps and values it shows.
 */

import { createScale, domainFor, stillFits } from "./scales.js";

/** @typedef {import("./surface.js").View} View */

const TOP = 10;
const BOTTOM = 40;
/** However little room there is: a plotting area must not turn inside out. */
const LEAST = 40;

/**
 * @param {{left: number, right: number}} gutter pixels beside the plotting area
 * @returns {{resize: (width: number, height: number) => boolean,
 *   layOut: (needs: {values: number[], end: number, log: boolean, moving: boolean}) => View | null}}
 */
export function createViewport(gutter) {
  let width = 0;
  let height = 0;
  let xEnd = 1;
  /** @type {[number, number] | null} */
  let yDomain = null;

  return {
    /** Whether there is another size to draw for; a hidden element has none. */
    resize(nextWidth, nextHeight) {
      const changed = nextWidth > 0 && (nextWidth !== width || nextHeight !== height);
      if (changed) {
        width = nextWidth;
        height = nextHeight;
      }
      return changed;
    },
    layOut({ values, end, log, moving }) {
      if (width === 0) {
        return null;
      }
      const needed = domainFor(values, log);
      if (moving && yDomain) {
        // The axes only ever grow under a moving hand.
        yDomain = [Math.min(needed[0], yDomain[0]), Math.max(needed[1], yDomain[1])];
        xEnd = Math.max(xEnd, end);
      } else {
        yDomain = yDomain && stillFits(yDomain, needed, log) ? yDomain : needed;
        xEnd = end;
      }
      const box = {
        left: gutter.left,
        right: Math.max(gutter.left + LEAST, width - gutter.right),
        top: TOP,
        bottom: Math.max(TOP + LEAST, height - BOTTOM),
      };
      return {
        x: createScale({ domain: [0, xEnd], range: [box.left, box.right] }),
        y: createScale({ domain: yDomain, range: [box.bottom, box.top], log }),
        box,
      };
    },
  };
}
