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
  const rising = (/** @type {number[]} */ some) => some.toSorted((a, b) => a - b);
  const sorted = rising(values);
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  if (log || values.length < 10) {
    return [low, high];
  }
  const at = (/** @type {number} */ share, some = sorted) =>
    some[Math.floor(share * (some.length - 1))];
  const middle = at(0.5);
  // Single spikes of the first steps are no reason to squash the rest.
  const first = rising(values.slice(0, Math.ceil(values.length / 10)));
  return [
    Math.max(low, Math.min(values[0], at(0.1, first), middle - FAR * (at(0.95) - middle))),
    Math.min(high, Math.max(values[0], at(0.9, first), middle + FAR * (middle - at(0.05)))),
  ];
}

/**
 * A range in which every curve can be seen.
 *
 * @param {ArrayLike<number>[]} columns
 * @param {boolean} log
 * @param {ArrayLike<number>[]} [beside] Lines beside the run: what they do widens the range to
 *   twice its size at most.
 * @returns {[number, number]}
 */
export function metricRange(columns, log, beside = []) {
  const own = joined(columns, log);
  const others = joined(beside, log);
  if (own === null || others === null) {
    return paddedRange(...(own ?? others ?? [Number.NaN, Number.NaN]), log);
  }
  const [low, high] = own;
  const room = log ? Math.max(high / low, 2) : (high - low) / 2;
  return paddedRange(
    Math.min(low, Math.max(others[0], log ? low / room : low - room)),
    Math.max(high, Math.min(others[1], log ? high * room : high + room)),
    log,
  );
}

/**
 * @param {ArrayLike<number>[]} columns
 * @param {boolean} log
 * @returns {[number, number] | null}
 */
function joined(columns, log) {
  const extents = columns.map((column) => extent(column, log)).filter((each) => each !== null);
  return extents.length === 0
    ? null
    : [Math.min(...extents.map((each) => each[0])), Math.max(...extents.map((each) => each[1]))];
}
