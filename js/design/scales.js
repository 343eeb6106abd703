/**
 * From values to pixels and back, and which values an axis shows.
 */

import { linearSplits } from "../shared/scale.js";

/**
 * @typedef {object} Scale
 * @property {number} low
 * @property {number} high
 * @property {boolean} log
 * @property {(value: number) => number} pixel A log axis shows what is not positive at its foot.
 * @property {(pixel: number) => number} value Goes on beyond both ends.
 */

/**
 * @param {object} options
 * @param {[number, number]} options.domain
 * @param {[number, number]} options.range pixels of the domain's two ends
 * @param {boolean} [options.log]
 * @returns {Scale}
 */
export function createScale({ domain: [low, high], range: [from, to], log = false }) {
  if (log) {
    const size = Math.log(high / low);
    return {
      low,
      high,
      log,
      pixel: (value) => (value <= low ? from : from + ((to - from) * Math.log(value / low)) / size),
      value: (pixel) => low * Math.exp((size * (pixel - from)) / (to - from)),
    };
  }
  return {
    low,
    high,
    log,
    pixel: (value) => from + ((to - from) * (value - low)) / (high - low),
    value: (pixel) => low + ((high - low) * (pixel - from)) / (to - from),
  };
}

/**
 * The values that a y axis shows for some numbers: from a round one to a round one, zero included
 * where the axis is linear.
 *
 * @param {ArrayLike<number>} values
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function domainFor(values, log) {
  const finite = Array.from(values).filter(Number.isFinite);
  const highest = Math.max(0, ...finite);
  if (log) {
    const positive = finite.filter((value) => value > 0);
    const top = highest > 0 ? highest * 1.25 : 1;
    // A curve that comes from zero has no lowest positive value: three decades show its course.
    const reachesZero = positive.length < finite.length;
    const bottom = Math.min(...positive, reachesZero ? highest / 1000 : highest / 10) || top / 1000;
    return [10 ** Math.floor(Math.log10(Math.max(bottom, top * 1e-9)) + 1e-9), roundUp(top)];
  }
  const lowest = Math.min(0, ...finite);
  if (highest === lowest) {
    return [0, 1e-3];
  }
  const air = 0.06 * (highest - lowest);
  const [first, second] = linearSplits(lowest, highest + air, 10);
  const tick = second - first;
  return [
    lowest < 0 ? tick * Math.floor((lowest - air) / tick) : 0,
    Number((tick * Math.ceil((highest + air) / tick)).toPrecision(12)),
  ];
}

/**
 * Whether an axis can stay as it is: it shows everything, and not from too far away. An axis that
 * followed every edit would make each curve look the same.
 *
 * @param {[number, number]} shown
 * @param {[number, number]} needed
 * @param {boolean} log
 * @returns {boolean}
 */
export function stillFits(shown, needed, log) {
  if (log) {
    const spare = shown[1] / needed[1] <= 10 && needed[0] / shown[0] <= 100;
    return needed[0] >= shown[0] * 0.999 && needed[1] <= shown[1] * 1.001 && spare;
  }
  const near = needed[1] >= 0.5 * shown[1];
  return needed[1] <= shown[1] * 1.001 && needed[0] === shown[0] && near;
}

/**
 * @param {number} x > 0
 * @returns {number} the next of 1, 2, 5 times a power of ten
 */
function roundUp(x) {
  const size = 10 ** Math.floor(Math.log10(x));
  return Number((size * ([1, 2, 5].find((each) => each * size >= x) ?? 10)).toPrecision(12));
}

/**
 * The largest of 1, 2, 5 times a power of ten that is no larger than `x`.
 *
 * @param {number} x > 0
 * @returns {number}
 */
export function roundDown(x) {
  const size = 10 ** Math.floor(Math.log10(x) + 1e-9);
  const multiple = [5, 2, 1].find((each) => each * size <= x * (1 + 1e-9)) ?? 1;
  return Number((multiple * size).toPrecision(12));
}

/**
 * A value under the pointer, no more exact than a pixel is.
 *
 * @param {Scale} scale
 * @param {number} pixel
 * @returns {number}
 */
export function valueAtPixel(scale, pixel) {
  const value = scale.value(pixel);
  if (scale.log) {
    return Number(value.toPrecision(3));
  }
  return roundTo(value, pixelQuantum(scale));
}

/**
 * @param {Scale} scale
 * @returns {number} the step of the values that `valueAtPixel` gives on a linear axis
 */
export function pixelQuantum(scale) {
  return roundDown(Math.abs(scale.value(1) - scale.value(0)));
}

/**
 * A whole step under the pointer, as round as a pixel allows.
 *
 * @param {Scale} scale
 * @param {number} pixel
 * @returns {number}
 */
export function stepAtPixel(scale, pixel) {
  const quantum = Math.max(1, roundDown(Math.abs(scale.value(1) - scale.value(0))));
  return Math.round(roundTo(scale.value(pixel), quantum));
}

/**
 * @param {number} x
 * @param {number} quantum
 */
function roundTo(x, quantum) {
  return Number((Math.round(x / quantum) * quantum).toPrecision(9));
}
