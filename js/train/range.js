/**
 * Which values of a metric to show.
 */

import { paddedRange } from "../shared/scale.js";

// How far beyond the middle of its values, in units of their lower or upper half, a curve may go
// before it counts as blown up.
const FAR = 5;

/**
 * The lowest and the highest value of one curve that are worth showing. A run that blows up ends
 * with values many times those that matter: what lies far beyond the usual and beyond the start
 * of the curve is left out.
 *
 * @param {ArrayLike<number>} column in the order of the steps
 * @param {boolean} log
 * @returns {[number, number] | null} null if nothing of it can be drawn
 */
function extent(column, log) {
  const values = Array.from(column).filter((v) => Number.isFinite(v) && !(log && v <= 0));
  if (values.length === 0) {
    return null;
  }
  const first = values.slice(0, Math.ceil(values.length / 10));
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  if (log || values.length < 10) {
    return [low, high];
  }
  const at = (/** @type {number} */ share) => sorted[Math.floor(share * (sorted.length - 1))];
  const middle = at(0.5);
  return [
    Math.max(low, Math.min(...first, middle - FAR * (at(0.95) - middle))),
    Math.min(high, Math.max(...first, middle + FAR * (middle - at(0.05)))),
  ];
}

/**
 * A range in which every curve can be seen.
 *
 * @param {ArrayLike<number>[]} columns
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function metricRange(columns, log) {
  const extents = columns.map((column) => extent(column, log)).filter((each) => each !== null);
  const low = Math.min(...extents.map((each) => each[0]));
  const high = Math.max(...extents.map((each) => each[1]));
  return paddedRange(low, high, log);
}
