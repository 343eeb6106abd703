/**
 * Curves as SVG path data.
 */

import {
  ENDLESS,
  endValue,
  evaluateMany,
  lengthOf,
  partsOf,
  peak,
  starts,
  startValue,
  valueIn,
} from "../schedule/model.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./scales.js").Scale} Scale */

/** @typedef {import("./surface.js").View} View */

/** Pixels from one point of a curve to the next. */
const SPACING = 2;
/** Points at which the heights of a stretch of a curve are read. */
const READINGS = 128;

/**
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @returns {string}
 */
function line(xs, ys) {
  let data = "";
  for (let i = 0; i < xs.length; i += 1) {
    data += `${i ? "L" : "M"}${xs[i].toFixed(1)} ${ys[i].toFixed(1)}`;
  }
  return data;
}

/**
 * One path for each part, and one for the jumps between them.
 *
 * @param {ScheduleNode} node
 * @param {Scale} x
 * @param {Scale} y
 * @param {number} from the step at which drawing begins; parts before it are empty
 * @returns {{parts: string[], jumps: string}}
 */
export function curvePaths(node, x, y, from = 0) {
  const all = partsOf(node);
  const begins = starts(node);
  let jumps = "";
  const parts = all.map((part, i) => {
    const begin = Math.max(begins[i], from, x.low);
    const steps = lengthOf(part);
    const length = steps ?? ENDLESS;
    const end = Math.min(begins[i] + length, Math.max(x.high, begin));
    if (i > 0 && begins[i] > from) {
      const before = y.pixel(endValue(all[i - 1]));
      const after = y.pixel(startValue(part));
      if (Math.abs(before - after) > 0.5) {
        const at = x.pixel(begins[i]).toFixed(1);
        jumps += `M${at} ${before.toFixed(1)}V${after.toFixed(1)}`;
      }
    }
    if (end <= begin && steps !== null) {
      return "";
    }
    const shape = part.node === "segment" ? part.shape : "";
    const straight = shape === "constant" || (shape === "linear" && !y.log);
    const pixels = Math.abs(x.pixel(end) - x.pixel(begin));
    const count = straight ? 1 : Math.max(8, Math.ceil(pixels / SPACING));
    // Between whole steps there is nothing: a curve is smoothed only where steps are far apart.
    const whole = end - begin > count;
    const xs = new Float64Array(count + 1);
    const ys = new Float64Array(count + 1);
    for (let k = 0; k <= count; k += 1) {
      const at = begin + ((end - begin) * k) / count;
      const step = whole ? Math.round(at) : at;
      xs[k] = x.pixel(step);
      ys[k] = y.pixel(valueIn(part, step - begins[i]));
    }
    return line(xs, ys);
  });
  return { parts, jumps };
}

/**
 * The value that holds behind the end of a schedule that is shorter than the axis.
 *
 * @param {ScheduleNode} node
 * @param {Scale} x
 * @param {Scale} y
 * @returns {string}
 */
export function heldPath(node, x, y) {
  const parts = partsOf(node);
  const last = parts[parts.length - 1];
  const end = starts(node)[parts.length - 1] + (lengthOf(last) ?? 0);
  if (lengthOf(last) === null || end >= x.high) {
    return "";
  }
  return `M${x.pixel(Math.max(end, x.low)).toFixed(1)} ${y.pixel(endValue(last)).toFixed(1)}H${x.pixel(x.high).toFixed(1)}`;
}

/**
 * What really was.
 *
 * @param {{step: ArrayLike<number>, value: ArrayLike<number>}} past with no more points than can be
 *   seen
 * @param {Scale} x
 * @param {Scale} y
 * @returns {string}
 */
export function pastPath({ step, value }, x, y) {
  const drawn = Array.from(step, (_, i) => i).filter((i) => Number.isFinite(value[i]));
  return line(
    drawn.map((i) => x.pixel(step[i])),
    drawn.map((i) => y.pixel(value[i])),
  );
}

/**
 * @param {{step: ArrayLike<number>, value: ArrayLike<number>}} past
 * @param {number} at
 * @returns {number} the value at the last step that is not behind `at`, or the first
 */
export function nearest({ step, value }, at) {
  let low = 0;
  let high = step.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (step[middle] <= at) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return value[low];
}

/** @type {WeakMap<ScheduleNode, {key: string, data: string}>} */
const drawn = new WeakMap();

/**
 * A whole curve as one path, remembered: what stands still while another curve is dragged costs
 * nothing.
 *
 * @param {ScheduleNode} node
 * @param {Scale} x
 * @param {Scale} y
 * @returns {string}
 */
export function wholePath(node, x, y) {
  const key = [x, y].map((s) => [s.low, s.high, s.pixel(s.low), s.pixel(s.high), s.log]).join();
  let known = drawn.get(node);
  if (known?.key !== key) {
    known = { key, data: curvePaths(node, x, y).parts.join("") };
    drawn.set(node, known);
  }
  return known.data;
}

/**
 * @param {string} data of a curve
 * @returns {number} pixels that it goes up and down in all
 */
export function climb(data) {
  let before = Number.NaN;
  let sum = 0;
  for (const [, text] of data.matchAll(/ ([-\d.]+)/g)) {
    sum += Math.abs(Number(text) - before) || 0;
    before = Number(text);
  }
  return sum;
}

/**
 * Values that an axis must show for a stretch of a schedule.
 *
 * @param {ScheduleNode} node
 * @param {[number, number] | null} stretch null is all of it
 * @returns {number[]}
 */
export function heightsOf(node, stretch) {
  if (!stretch) {
    return [...partsOf(node).flatMap((part) => [startValue(part), endValue(part)]), peak(node)];
  }
  const [low, high] = stretch;
  const begins = starts(node).map((begin, i) => [begin, i]);
  const inside = begins.filter(([begin, i]) => i > 0 && begin >= low && begin <= high);
  const at = Array.from({ length: READINGS }, (_, k) => low + ((high - low) * k) / (READINGS - 1));
  return [
    ...evaluateMany(node, at.map(Math.round)),
    ...inside.flatMap(([, i]) => [endValue(partsOf(node)[i - 1]), startValue(partsOf(node)[i])]),
  ];
}

/**
 * @param {ArrayLike<number>} values
 * @returns {number[]} the lowest and the highest finite value, if there are any
 */
export function extremes(values) {
  let low = ENDLESS;
  let high = -ENDLESS;
  for (let i = 0; i < values.length; i += 1) {
    if (Number.isFinite(values[i])) {
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
  }
  return low <= high ? [low, high] : [];
}
