/**
 * Edits of the whole schedule: its length, its height, and what is left of it in a run.
 */

import { declarationOf, flaw } from "./declarations.js";
import { asSegment, between, cut } from "./fit.js";
import {
  fromParts,
  lengthOf,
  MAX_STEPS,
  mapInside,
  partAt,
  partsOf,
  spliced,
  starts,
  steps,
} from "./nodes.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./knots.js").Refusal} Refusal */

/**
 * The same curve over another number of steps: every border moves in proportion, each segment
 * keeps at least one step.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} length
 * @returns {ScheduleNode | Refusal}
 */
export function resize(catalogue, node, length) {
  const least = partsOf(node).length;
  if (!Number.isInteger(length) || length < least || length > MAX_STEPS) {
    return {
      error: `the length must be a whole number from ${least} to ${MAX_STEPS}, got ${length}`,
    };
  }
  return stretched(catalogue, node, length);
}

/**
 * @param {Catalogue | null} catalogue
 * @param {ScheduleNode} node
 * @param {number} length with fewer steps than parts, some are gone
 * @returns {ScheduleNode}
 */
function stretched(catalogue, node, length) {
  const parts = partsOf(node);
  const total = steps(node);
  const roomy = length >= parts.length;
  if (total === null && !roomy) {
    return fromParts(between(node, 0, length));
  }
  const ends = [0];
  for (const [i, begin] of starts(node).slice(1).entries()) {
    const border = total === null ? begin : rounded((begin * length) / total);
    const [low, high] = roomy ? [ends[i] + 1, length - (parts.length - 1 - i)] : [0, length];
    ends.push(Math.min(Math.max(border, low), high));
  }
  ends.push(length);
  return fromParts(
    parts.flatMap((part, i) => {
      const own = ends[i + 1] - ends[i];
      return own > 0 ? [lasting(catalogue, part, own)] : [];
    }),
  );
}

/** Halves go to the even side, as in Python. @param {number} x */
function rounded(x) {
  return x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/**
 * The same curve stretched to another number of steps; one without end is cut off there.
 *
 * @param {Catalogue | null} catalogue null leaves lengths such as that of a stair as they are
 * @param {Part} part
 * @param {number} length
 * @returns {Part}
 */
export function lasting(catalogue, part, length) {
  const now = lengthOf(part);
  const ratio = length / (now ?? length);
  if (part.node === "segment") {
    return withLengths(catalogue, { ...part, steps: length }, ratio);
  }
  if (now === null && part.node !== "clip" && part.node !== "staircase") {
    return cut(part, 0, length);
  }
  if (part.node === "repeat") {
    const period = Math.ceil(length / /** @type {number} */ (part.times));
    const longer = { ...part, part: stretched(catalogue, part.part, period) };
    return length % period ? cut(longer, 0, length) : { ...longer, times: length / period };
  }
  if (part.node === "slice") {
    const longer = { ...slowed(catalogue, part, ratio), steps: length };
    const { part: inner, start } = longer;
    return inner.node === "slice"
      ? { ...inner, start: inner.start + start, steps: length }
      : longer;
  }
  if (part.node === "product") {
    return slowed(catalogue, part, ratio);
  }
  return withLengths(
    catalogue,
    mapInside(part, (inner) => stretched(catalogue, inner, length)),
    ratio,
  );
}

/**
 * The same curve so many times as long, and without end if it is so.
 *
 * @template {ScheduleNode} T
 * @param {Catalogue | null} catalogue
 * @param {T} node
 * @param {number} ratio
 * @returns {T}
 */
function slowed(catalogue, node, ratio) {
  const slower = (/** @type {any} */ inner) => {
    const total = steps(inner);
    const direct = node.node === "slice" && ["product", "clip", "staircase"].includes(inner.node);
    return total === null || direct
      ? slowed(catalogue, inner, ratio)
      : stretched(catalogue, inner, Math.max(1, rounded(total * ratio)));
  };
  if (node.node !== "join") {
    return withLengths(catalogue, mapInside(node, slower), ratio);
  }
  const [last, ...head] = [...node.parts].reverse();
  const length = rounded((starts(node).at(-1) ?? 0) * ratio);
  const first = length ? partsOf(stretched(catalogue, fromParts(head.reverse()), length)) : [];
  return /** @type {any} */ (fromParts([...first, slowed(catalogue, last, ratio)]));
}

/**
 * A part with the lengths of its own changed in proportion.
 *
 * @template {ScheduleNode} T
 * @param {Catalogue | null} catalogue
 * @param {T} part
 * @param {number} ratio
 * @returns {T}
 */
function withLengths(catalogue, part, ratio) {
  if (part.node === "slice") {
    return { ...part, start: rounded(part.start * ratio) };
  }
  const longer = (/** @type {number} */ x) => Math.max(1, rounded(x * ratio));
  if (catalogue && part.node === "segment") {
    const parameters = { ...part.parameters };
    for (const { name, role } of declarationOf(catalogue, part.shape).parameters) {
      parameters[name] = role === "steps" ? longer(parameters[name]) : parameters[name];
    }
    return { ...part, parameters };
  }
  return catalogue && part.node === "staircase" ? { ...part, every: longer(part.every) } : part;
}

/**
 * The same curve times a factor.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} factor > 0
 * @returns {ScheduleNode | Refusal}
 */
export function scale(catalogue, node, factor) {
  if (!(factor > 0)) {
    return { error: `factor must be a finite number > 0, got ${factor}` };
  }
  const higher = scaled(catalogue, node, factor);
  const rule = flaw(catalogue, higher);
  return rule === null ? higher : { error: rule };
}

/**
 * @template {ScheduleNode} T
 * @param {Catalogue} catalogue
 * @param {T} node
 * @param {number} factor
 * @returns {T} perhaps with values that are not allowed
 */
export function scaled(catalogue, node, factor) {
  // Without the last bits, so that 3e-3 times two thirds is 2e-3.
  const by = (/** @type {number | null} */ x) => x && Number((x * factor).toPrecision(14));
  if (node.node === "join") {
    return { ...node, parts: node.parts.map((part) => scaled(catalogue, part, factor)) };
  }
  if (node.node === "segment") {
    const parameters = { ...node.parameters };
    for (const { name, role } of declarationOf(catalogue, node.shape).parameters) {
      if (role !== "free" && role !== "steps") {
        parameters[name] = /** @type {number} */ (by(parameters[name]));
      }
    }
    const samples = node.samples?.map((sample) => sample * factor);
    return { ...node, parameters, ...(samples && { samples }) };
  }
  const higher = mapInside(node, (inner, key) =>
    key === "right" ? inner : scaled(catalogue, inner, factor),
  );
  return higher.node === "clip"
    ? { ...higher, low: by(higher.low), high: by(higher.high) }
    : higher.node === "repeat"
      ? { ...higher, floor: by(higher.floor) }
      : higher;
}

/**
 * A schedule whose future can be bent without touching its past: the part that the present step
 * cuts through becomes two. The past one keeps exactly its values, the other one is a segment
 * where one can stand for it.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} locked the present step
 * @param {string[]} [shapes] the only ones that the segment may have
 * @returns {ScheduleNode}
 */
export function openFuture(catalogue, node, locked, shapes) {
  const step = locked + 1;
  const index = partAt(node, step);
  const part = partsOf(node)[index];
  const at = step - starts(node)[index];
  const length = lengthOf(part);
  if (at < 1 || (length !== null && at >= length)) {
    return node;
  }
  const rest = cut(part, at, length === null ? null : length - at);
  return spliced(node, index, 1, cut(part, 0, at), asSegment(catalogue, rest, shapes) ?? rest);
}
