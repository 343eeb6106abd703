/**
 * Cutting parts, and writing as one segment what no shape says exactly.
 *
 * A stretch of a cosine is no cosine. Where such a stretch has to become a segment with handles of
 * its own, it becomes the shape that strays least from it and has the same end values, so that the
 * curve stays whole.
 */

import { cubic } from "./cubic.js";
import { declarationOf, violation } from "./declarations.js";
import { ENDLESS, lengthOf, partsOf, segmentOf, starts } from "./nodes.js";
import { formulas, selfSimilar } from "./shapes.js";
import { endValue, slopeAt, valueIn } from "./values.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").SegmentNode} SegmentNode */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */

/**
 * @typedef {object} Curve
 * @property {(t: number) => number} at
 * @property {number} steps
 * @property {number[]} slopes per step, at both ends
 */

const POINTS = 33;

/**
 * Local steps `start` to `start + steps` of a part as a part of its own: exactly the same values.
 *
 * @param {Part} part
 * @param {number} start
 * @param {number | null} steps null: the rest of an endless part
 * @returns {Part}
 */
export function cut(part, start, steps) {
  if (start === 0 && steps === lengthOf(part)) {
    return part;
  }
  if (part.node === "slice") {
    return { ...part, start: part.start + start, steps };
  }
  if (part.node !== "segment" || !selfSimilar.has(part.shape)) {
    return { node: "slice", part, start, steps };
  }
  const parameters = { ...part.parameters };
  if (part.shape !== "constant") {
    parameters.init_value = valueIn(part, start);
    parameters.end_value = valueIn(part, start + (steps ?? 0));
  }
  return { ...part, steps, parameters };
}

/**
 * The parts from one step to another, exactly as they were; past the end, what holds there.
 *
 * @param {ScheduleNode} node
 * @param {number} from
 * @param {number} to infinite where the schedule is without end
 * @returns {Part[]}
 */
export function between(node, from, to) {
  const parts = partsOf(node);
  /** @type {Part[]} */
  const kept = [];
  let end = 0;
  for (const [i, part] of parts.entries()) {
    const begin = starts(node)[i];
    end = begin + (lengthOf(part) ?? ENDLESS);
    const [low, high] = [Math.max(begin, from), Math.min(end, to)];
    if (low < high) {
      kept.push(cut(part, low - begin, Number.isFinite(high) ? high - low : null));
    }
  }
  const held = to - Math.max(end, from);
  if (held > 0) {
    const value = endValue(parts[parts.length - 1]);
    kept.push({ node: "segment", shape: "constant", steps: held, parameters: { value } });
  }
  return kept;
}

/**
 * The segment nearest to a part, with the same end values; a segment is its own.
 *
 * @param {Catalogue} catalogue
 * @param {Part} part
 * @param {string[]} [shapes] the only ones that it may become
 * @returns {SegmentNode | null} null where one segment cannot stand for it
 */
export function asSegment(catalogue, part, shapes) {
  const whole = segmentOf(part);
  if (part === whole) {
    return whole;
  }
  const steps = lengthOf(part);
  if (!whole || part.node !== "slice" || steps === null) {
    return null;
  }
  const { self_similar, monotone } = declarationOf(catalogue, whole.shape);
  const within = part.part === whole && part.start + steps <= (whole.steps ?? 0);
  if (self_similar && (within || whole.shape === "constant")) {
    return /** @type {SegmentNode} */ (cut(whole, part.start, steps));
  }
  if (!monotone) {
    return null;
  }
  const usual = whole.shape === "cubic" ? ["cubic"] : ["linear", "polynomial", "cosine", "cubic"];
  const at = (/** @type {number} */ t) => valueIn(part, t);
  const slopes = [slopeAt(part, 0, 1), slopeAt(part, steps, -1)];
  return fitted(catalogue, { at, steps, slopes }, shapes ?? usual);
}

/**
 * Two neighbours as one segment from the first one's start to the second one's end.
 *
 * @param {Catalogue} catalogue
 * @param {Part} left
 * @param {Part} right
 * @param {number} steps
 * @returns {SegmentNode}
 */
export function merged(catalogue, left, right, steps) {
  const border = lengthOf(left) ?? 0;
  /** @type {Curve} */
  const curve = {
    at: (t) => (t < border ? valueIn(left, t) : valueIn(right, t - border)),
    steps,
    slopes: [slopeAt(left, 0, 1), slopeAt(right, steps - border, -1)],
  };
  const [from, to] = [curve.at(0), curve.at(steps)];
  const pair = /** @type {SegmentNode[]} */ (
    (steps > 2 * border ? [right, left] : [left, right]).filter((part) => part.node === "segment")
  );
  if (from === to && pair.filter(({ shape }) => shape === "constant").length === 2) {
    return { ...pair[0], steps };
  }
  // A shape that can go from one end to the other, and nowhere else between.
  const able = pair.find(({ shape }) => {
    const { monotone, parameters } = declarationOf(catalogue, shape);
    const ends = parameters.filter(({ role }) => role !== "free");
    return (
      monotone &&
      shape in formulas &&
      ends.length === 2 &&
      ends.every((each) => !violation("", each, each.role === "start" ? from : to))
    );
  });
  return fitted(catalogue, curve, [able?.shape ?? "linear"]);
}

/**
 * The best of some shapes for a curve. Earlier names win where they are about as good, and a free
 * parameter keeps its plain default where that is about as good. A cubic, which follows the slopes
 * at both ends but can hardly be bent, is for where none of the others is good.
 *
 * @param {Catalogue} catalogue
 * @param {Curve} curve
 * @param {string[]} shapes each with a start, an end and free parameters
 * @returns {SegmentNode}
 */
function fitted(catalogue, curve, shapes) {
  const { at, steps, slopes } = curve;
  const [from, to] = [at(0), at(steps)];
  const height = Math.abs(to - from);
  const enough = 1e-9 * height;
  const smooth = cubic(steps, from, to, ...slopes);
  let best = smooth;
  let least = ENDLESS;
  for (const shape of shapes) {
    let chosen = smooth;
    if (shape === "cubic" && least < 0.05 * height) {
      break;
    }
    if (shape !== "cubic") {
      const { parameters } = declarationOf(catalogue, shape);
      const free = parameters.find(({ role, low, high }) => role === "free" && low && high);
      const made = (/** @type {number} */ x) => {
        const values = parameters.map((each) => [
          each.name,
          { start: from, end: to }[/** @type {string} */ (each.role)] ??
            (each === free ? x : each.default),
        ]);
        return { ...smooth, shape, parameters: Object.fromEntries(values) };
      };
      const plain = made(free?.default ?? 0);
      const error = (/** @type {number} */ x) => deviation(curve, made(x));
      const found = free ? made(roundedTo3(minimum(error, free.low ?? 1, free.high ?? 1))) : plain;
      const good = deviation(curve, plain) <= 1.1 * deviation(curve, found) + enough;
      chosen = good ? plain : found;
    }
    const error = deviation(curve, chosen);
    if (error < 0.95 * least - enough) {
      best = chosen;
      least = error;
    }
  }
  return best;
}

/**
 * @param {Curve} curve
 * @param {SegmentNode} segment
 * @returns {number} the largest distance between the two
 */
function deviation({ at, steps }, segment) {
  let largest = 0;
  for (let i = 1; i < POINTS; i += 1) {
    const t = (i / POINTS) * steps;
    largest = Math.max(largest, Math.abs(valueIn(segment, t) - at(t)));
  }
  return largest;
}

/**
 * Golden-section search on a logarithmic scale.
 *
 * @param {(x: number) => number} fn with one minimum
 * @param {number} low > 0
 * @param {number} high
 * @returns {number}
 */
function minimum(fn, low, high) {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [Math.log(low), Math.log(high)];
  while (b - a > 1e-4) {
    const [left, right] = [b - ratio * (b - a), a + ratio * (b - a)];
    if (fn(Math.exp(left)) <= fn(Math.exp(right))) {
      b = right;
    } else {
      a = left;
    }
  }
  return Math.exp((a + b) / 2);
}

/** @param {number} x */
function roundedTo3(x) {
  return Number(x.toPrecision(3));
}
