/**
 * Knots: the points of a curve that a hand can hold, and what moves with them.
 */

import { endParameter, intersection, violation } from "./declarations.js";
import { asSegment } from "./fit.js";
import { endValue, fromParts, partsOf, starts, startValue } from "./nodes.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").SegmentNode} SegmentNode */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./declarations.js").Range} Range */
/** @typedef {{error: string}} Refusal */
/** @typedef {{part: number, end: "start" | "end"}} PartEnd */

/**
 * @typedef {object} Knot
 * @property {number} border 0 is the beginning, the number of parts is the end
 * @property {"both" | "left" | "right"} side the sides of the border that it holds; where the
 *   values jump there is one knot for each side
 * @property {number} step
 * @property {number} value
 * @property {PartEnd[]} ends all the values that move with it
 * @property {boolean} movesStep
 * @property {boolean} movesValue
 * @property {number} lowStep where a move along x ends
 * @property {number} highStep
 * @property {Range} range allowed values
 */

/** No run is longer; a slip of the hand is. */
export const MAX_STEPS = 1_000_000_000;

/**
 * @template {object} T
 * @param {T | Refusal} result
 * @returns {result is Refusal}
 */
export function refused(result) {
  return "error" in result;
}

/**
 * Whether the curve passes the border between two parts without a jump.
 *
 * @param {Part[]} parts
 * @param {number} border 1 to parts.length - 1
 * @returns {boolean}
 */
export function isJoined(parts, border) {
  const left = endValue(parts[border - 1]);
  const right = startValue(parts[border]);
  return Math.abs(left - right) <= 1e-9 * Math.max(Math.abs(left), Math.abs(right));
}

/**
 * The ends of parts that must move together so that what is whole stays whole: across joined
 * borders, and along constant parts.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {PartEnd[]} seeds
 * @param {number | null} locked the present step of a run: borders up to it are past
 * @returns {PartEnd[]}
 */
function linked(catalogue, node, seeds, locked) {
  const parts = partsOf(node);
  const begins = starts(node);
  // What was is not dragged along, not even where the next step begins.
  const earliest = locked === null ? 0 : locked + 1;
  /** @type {Map<string, PartEnd>} */
  const found = new Map();
  const pending = [...seeds];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { part, end } = next;
    const key = `${part} ${end}`;
    if (found.has(key) || !endParameter(catalogue, parts[part], end)) {
      continue;
    }
    found.set(key, next);
    if (endParameter(catalogue, parts[part], end)?.role === "level") {
      pending.push({ part, end: end === "end" ? "start" : "end" });
    }
    const border = end === "end" ? part + 1 : part;
    const seed = seeds.some((each) => each.part === part && each.end === end);
    const inner = border > 0 && border < parts.length && begins[border] > earliest;
    if (!seed && inner && isJoined(parts, border)) {
      pending.push(end === "end" ? { part: border, end: "start" } : { part: part - 1, end: "end" });
    }
  }
  return [...found.values()].sort((a, b) => a.part - b.part);
}

/**
 * Every knot of a schedule, from left to right.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number | null} [locked] the present step of a run: knots up to it are past and left out
 * @returns {Knot[]}
 */
export function knots(catalogue, node, locked = null) {
  const parts = partsOf(node);
  const begins = starts(node);
  const earliest = locked === null ? 0 : locked + 1;
  /** @type {Knot[]} */
  const found = [];
  for (let border = 0; border <= parts.length; border += 1) {
    const before = parts[border - 1];
    const after = parts[border];
    if (!after && before.steps === null) {
      continue;
    }
    const step = after ? begins[border] : begins[border - 1] + (before.steps ?? 0);
    if (step < earliest) {
      continue;
    }
    /** @type {PartEnd} */
    const left = { part: border - 1, end: "end" };
    /** @type {PartEnd} */
    const right = { part: border, end: "start" };
    const whole = !before || !after || isJoined(parts, border);
    const lowStep = before ? Math.max(begins[border - 1] + 1, earliest) : 0;
    const room = after?.steps;
    const highStep = !before ? 0 : room ? step + room - 1 : MAX_STEPS;
    /** @type {[Knot["side"], PartEnd[]][]} */
    const sides = whole
      ? [["both", [...(before ? [left] : []), ...(after ? [right] : [])]]]
      : [
          ["left", [left]],
          ["right", [right]],
        ];
    for (const [side, seeds] of sides) {
      const ends = linked(catalogue, node, seeds, locked);
      const declared = ends.map(({ part, end }) => endParameter(catalogue, parts[part], end));
      found.push({
        border,
        side,
        step,
        value: seeds[0].end === "end" ? endValue(before) : startValue(after),
        ends,
        movesStep: highStep > lowStep,
        movesValue: ends.length > 0,
        lowStep,
        highStep,
        range: intersection(declared.filter((each) => each !== null)),
      });
    }
  }
  return found;
}

/**
 * The index of the knot at a border and on a side; a knot that joined or parted since is found by
 * its border alone.
 *
 * @param {Knot[]} all
 * @param {Pick<Knot, "border" | "side">} wanted
 * @returns {number} -1 if there is none
 */
export function findKnot(all, { border, side }) {
  const exact = all.findIndex((knot) => knot.border === border && knot.side === side);
  return exact >= 0 ? exact : all.findIndex((knot) => knot.border === border);
}

/**
 * Set values at ends of parts. Slices among them become segments.
 *
 * @param {Catalogue} catalogue
 * @param {Part[]} parts
 * @param {PartEnd[]} ends
 * @param {number} value
 * @returns {Part[]}
 */
function withEnds(catalogue, parts, ends, value) {
  const changed = [...parts];
  for (const { part, end } of ends) {
    const parameter = endParameter(catalogue, changed[part], end);
    if (parameter) {
      changed[part] = withParameter(
        catalogue,
        asSegment(catalogue, changed[part]),
        parameter.name,
        value,
      );
    }
  }
  return changed;
}

/**
 * A segment with another value of one parameter; samples follow their ends.
 *
 * @param {Catalogue} catalogue
 * @param {SegmentNode} segment
 * @param {string} name
 * @param {number} value
 * @returns {SegmentNode}
 */
export function withParameter(catalogue, segment, name, value) {
  const changed = { ...segment, parameters: { ...segment.parameters, [name]: value } };
  const { samples } = segment;
  if (samples) {
    const first = samples[0];
    const last = samples[samples.length - 1];
    const start = endParameter(catalogue, segment, "start")?.name === name ? value : first;
    const end = endParameter(catalogue, segment, "end")?.name === name ? value : last;
    changed.samples = samples.map((sample, i) => {
      const t = first === last ? i / (samples.length - 1) : (sample - first) / (last - first);
      return first === last
        ? sample + (start - first) * (1 - t) + (end - last) * t
        : start + (end - start) * t;
    });
  }
  return changed;
}

/**
 * Move the borders `first` to `last` by `by` steps: the part before gives or takes what the part
 * after takes or gives. A slice after them is trimmed at its beginning, so that its curve stays
 * where it is.
 *
 * @param {ScheduleNode} node
 * @param {number} first 1 or more
 * @param {number} last the number of parts stands for the end, which then moves
 * @param {number} by
 * @returns {ScheduleNode | Refusal}
 */
export function moveBorders(node, first, last, by) {
  if (by === 0) {
    return node;
  }
  const parts = [...partsOf(node)];
  const before = parts[first - 1];
  const after = parts[last];
  const grown = (before?.steps ?? 0) + by;
  if (!before || before.steps === null || !Number.isInteger(grown) || grown < 1) {
    return { error: "a segment must be at least 1 step long" };
  }
  parts[first - 1] = { ...before, steps: grown };
  if (after && after.steps !== null) {
    const left = after.steps - by;
    if (left < 1) {
      return { error: "the next segment must stay at least 1 step long" };
    }
    parts[last] =
      after.node === "slice"
        ? { ...after, start: Math.max(0, after.start + by), steps: left }
        : { ...after, steps: left };
  }
  const moved = fromParts(parts);
  const total = starts(moved)[parts.length - 1] + (parts[parts.length - 1].steps ?? 0);
  return total > MAX_STEPS
    ? { error: `a schedule must be at most ${MAX_STEPS} steps long` }
    : moved;
}

/**
 * Move a knot. Moving the last one along x changes the length of the schedule; at every other
 * border the neighbours give and take.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {Knot} knot one of `knots(catalogue, node, locked)`
 * @param {{step?: number, value?: number}} to
 * @returns {ScheduleNode | Refusal}
 */
export function moveKnot(catalogue, node, knot, { step = knot.step, value = knot.value }) {
  let moved = node;
  if (value !== knot.value) {
    const rule = violation("the value here", knot.range, value);
    if (rule || !knot.movesValue) {
      return { error: rule ?? "the value here follows from the shape's other parameters" };
    }
    moved = fromParts(withEnds(catalogue, partsOf(node), knot.ends, value));
  }
  if (step === knot.step) {
    return moved;
  }
  if (!Number.isInteger(step) || step < knot.lowStep || step > knot.highStep) {
    return { error: `the step must be from ${knot.lowStep} to ${knot.highStep}, got ${step}` };
  }
  return moveBorders(moved, knot.border, knot.border, step - knot.step);
}
