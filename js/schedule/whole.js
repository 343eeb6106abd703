/**
 * Edits of the whole schedule: its length, its height, and what is left of it in a run.
 */

import { declarationOf, violation } from "./declarations.js";
import { asSegment, cut } from "./fit.js";
import { MAX_STEPS } from "./knots.js";
import { fromParts, partAt, partsOf, peak, starts, steps } from "./nodes.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./knots.js").Refusal} Refusal */

/**
 * The same curve over another number of steps: every border moves in proportion, each segment
 * keeps at least one step.
 *
 * @param {ScheduleNode} node
 * @param {number} length
 * @returns {ScheduleNode | Refusal}
 */
export function resize(node, length) {
  const parts = partsOf(node);
  if (!Number.isInteger(length) || length < parts.length || length > MAX_STEPS) {
    return {
      error: `the length must be a whole number from ${parts.length} to ${MAX_STEPS}, got ${length}`,
    };
  }
  const total = steps(node);
  const begins = starts(node);
  const ends = [0];
  for (const [i, begin] of begins.slice(1).entries()) {
    const border = total === null ? begin : Math.round((begin * length) / total);
    ends.push(Math.min(Math.max(border, ends[i] + 1), length - (parts.length - 1 - i)));
  }
  ends.push(length);
  return fromParts(parts.map((part, i) => lasting(part, ends[i + 1] - ends[i])));
}

/**
 * @param {Part} part
 * @param {number} length
 * @returns {Part}
 */
function lasting(part, length) {
  if (part.node === "segment") {
    return { ...part, steps: length };
  }
  const ratio = length / part.steps;
  const inner = Math.max(1, Math.round((part.part.steps ?? 0) * ratio));
  return {
    ...part,
    part: { ...part.part, steps: inner },
    start: Math.round(part.start * ratio),
    steps: length,
  };
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
  if (!(factor > 0) || !Number.isFinite(factor * peak(node))) {
    return { error: `factor must be a finite number > 0, got ${factor}` };
  }
  /** @type {Part[]} */
  const parts = [];
  for (const part of partsOf(node)) {
    const segment = part.node === "slice" ? part.part : part;
    const parameters = { ...segment.parameters };
    for (const parameter of declarationOf(catalogue, segment.shape).parameters) {
      if (parameter.role !== "free") {
        // Without the last bits, so that 3e-3 times two thirds is 2e-3.
        parameters[parameter.name] = Number((parameters[parameter.name] * factor).toPrecision(14));
        const rule = violation(parameter.name, parameter, parameters[parameter.name]);
        if (rule) {
          return { error: rule };
        }
      }
    }
    const scaled = { ...segment, parameters };
    if (segment.samples) {
      scaled.samples = segment.samples.map((sample) => sample * factor);
    }
    parts.push(part.node === "slice" ? { ...part, part: scaled } : scaled);
  }
  return fromParts(parts);
}

/**
 * A schedule whose future can be bent without touching its past: the part that the present step
 * cuts through becomes two. The past one keeps exactly its values, the other one is a segment.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} locked the present step
 * @returns {ScheduleNode}
 */
export function openFuture(catalogue, node, locked) {
  const step = locked + 1;
  const index = partAt(node, step);
  const part = partsOf(node)[index];
  const at = step - starts(node)[index];
  if (at < 1 || (part.steps !== null && at >= part.steps)) {
    return node;
  }
  const rest = cut(part, at, part.steps === null ? null : part.steps - at);
  const opened = [...partsOf(node)];
  opened.splice(index, 1, cut(part, 0, at), asSegment(catalogue, rest));
  return fromParts(opened);
}
