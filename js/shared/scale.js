/**
 * Where the ticks of an axis stand, and what range of values to show.
 */

/**
 * Space around every plotting area in CSS pixels, so that plots above each other share their x
 * axis.
 */
export const GUTTER = Object.freeze({ left: 56, right: 16, top: 8, bottom: 24 });

/**
 * Round values of a linear axis.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} count About how many fit.
 * @param {boolean} [whole] Only whole numbers, as steps are.
 * @returns {number[]}
 */
export function linearSplits(low, high, count, whole = false) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) {
    return [low];
  }
  const size = 10 ** Math.floor(Math.log10(raw));
  let increment = size * ([1, 2, 5].find((multiple) => multiple * size >= raw) ?? 10);
  if (whole) {
    increment = Math.max(1, Math.round(increment));
  }
  const splits = [];
  const last = Math.floor(high / increment + 1e-9);
  for (let i = Math.ceil(low / increment - 1e-9); i <= last; i += 1) {
    // Through text, so that 3 * 0.1 is 0.3.
    splits.push(Number((i * increment).toPrecision(12)));
  }
  return splits;
}

/**
 * Round values of a logarithmic axis: powers of ten, every second or third where they are many,
 * with 3, or 2 and 5, between where they are few.
 *
 * @param {number} low > 0
 * @param {number} high
 * @param {number} count About how many fit.
 * @returns {number[]}
 */
export function logSplits(low, high, count) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  /** @param {number[]} multiples */
  const within = (multiples) => {
    const splits = [];
    for (let exponent = first; exponent <= last; exponent += 1) {
      for (const multiple of multiples) {
        const value = Number(`${multiple}e${exponent}`);
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) {
          splits.push(value);
        }
      }
    }
    return splits;
  };
  const decades = within([1]);
  if (decades.length > count) {
    const stride = Math.ceil(decades.length / count);
    return decades.filter((value) => Math.round(Math.log10(value)) % stride === 0);
  }
  if (decades.length >= 3) {
    return decades;
  }
  const finer = within([1, 2, 5]);
  if (finer.length < 2) {
    return linearSplits(low, high, count);
  }
  return finer.length <= count ? finer : decades.length > 1 ? decades : within([1, 3]);
}

/**
 * A range with some air around it, never empty.
 *
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function paddedRange(low, high, log) {
  if (!(Number.isFinite(low) && Number.isFinite(high))) {
    return log ? [0.1, 1] : [0, 1];
  }
  if (log) {
    const air = Math.max((high / low) ** 0.06, 1.05);
    return [low / air, high * air];
  }
  const air = (high - low) * 0.06 || Math.abs(high) * 0.1 || 0.5;
  return [low - air, high + air];
}
