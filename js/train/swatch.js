/**
 * A short piece of a line, as it looks in the plots.
 */

import { svg, UNSEEN } from "../shared/dom.js";
import { lookOf } from "./branches.js";

/**
 * @param {number} slot
 * @returns {SVGElement}
 */
export function swatch(slot) {
  return svg(
    "svg",
    { class: `lrw-swatch ${lookOf(slot).name}`, viewBox: "0 0 22 8", ...UNSEEN },
    svg("path", { d: "M0 4H22" }),
  );
}
