/**
 * How much of a schedule there is to see.
 */

import { starts, steps } from "../schedule/model.js";

/**
 * @param {import("../schedule/model.js").ScheduleNode} node
 * @returns {number} its length; a part without end is shown for a quarter of what comes before it
 */
export function endOf(node) {
  return steps(node) ?? (Math.round((starts(node).at(-1) ?? 0) * 1.25) || 1000);
}
