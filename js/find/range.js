/**
 * Which losses and which rates of a range test to show.
 */

import { paddedRange } from "../shared/scale.js";

/**
 * @param {number} a
 * @param {number} b
 */
const ascending = (a, b) => a - b;

/**
 * @param {number[]} sorted rising, not empty
 * @param {number} share 0 to 1
 */
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/**
 * A range that shows the fall and the turn. A test that ends in divergence has losses many times
 * those that matter; they leave the plot at its top instead of pressing the rest flat.
 *
 * @param {ArrayLike<number>} raw
 * @param {ArrayLike<number>} smoothed
 * @returns {[number, number]}
 */
export function sweepRange(raw, smoothed) {
  const finite = Array.from(smoothed).filter(Number.isFinite);
  if (finite.length === 0) {
    return paddedRange(Number.NaN, Number.NaN, false);
  }
  let lowest = 0;
  for (let i = 1; i < smoothed.length; i += 1) {
    if (!(smoothed[lowest] <= smoothed[i]) && Number.isFinite(smoothed[i])) {
      lowest = i;
    }
  }
  const bottom = smoothed[lowest];
  // Without a fall before the lowest point, the middle of the curve says what is usual.
  const fall = Array.from(smoothed)
    .slice(0, lowest + 1)
    .filter(Number.isFinite);
  const top = Math.max(...fall, quantile(finite.toSorted(ascending), 0.5));
  let last = lowest;
  for (let i = lowest; i < smoothed.length; i += 1) {
    if (smoothed[i] <= top) {
      last = i;
    }
  }
  const noise = Array.from(raw)
    .slice(0, last + 1)
    .filter(Number.isFinite)
    .sort(ascending);
  const low = noise.length > 0 ? Math.min(bottom, quantile(noise, 0.02)) : bottom;
  const high = noise.length > 0 ? Math.max(top, quantile(noise, 0.97)) : top;
  return paddedRange(low, high + 0.25 * (top - bottom), false);
}

/**
 * The rates that the plots share: those that were asked for, and every one that was tried.
 *
 * @param {{low: number, high: number}} asked
 * @param {ArrayLike<number>} ladder rising
 * @param {{rate: number}[]} probes
 * @returns {[number, number]}
 */
export function rateRange({ low, high }, ladder, probes) {
  const tried = probes.map(({ rate }) => rate).filter((rate) => rate > 0);
  return [
    Math.min(low, ladder[0] ?? low, ...tried),
    Math.max(high, ladder[ladder.length - 1] ?? high, ...tried),
  ];
}

/**
 * Where a rate stands on a logarithmic axis.
 *
 * @param {number} rate
 * @param {[number, number]} range
 * @returns {number} 0 at the left end, 1 at the right end
 */
export function axisShare(rate, [low, high]) {
  return Math.log(rate / low) / Math.log(high / low);
}
