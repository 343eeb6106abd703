/**
 * Edits of whole segments. Like those of knots, each returns a new node or says why not, and
 * never one that Python would refuse.
 */

import { clampTo, declarationOf, endParameter, freeParameters, violation } from "./declarations.js";
import { asSegment, cut, merged } from "./fit.js";
import { isJoined, knots, MAX_STEPS, moveBorders, moveKnot, withParameter } from "./knots.js";
import { endValue, fromParts, partAt, partsOf, starts, startValue, valueIn } from "./nodes.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").SegmentNode} SegmentNode */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./knots.js").Refusal} Refusal */

/**
 * @param {ScheduleNode} node
 * @param {number} from
 * @param {number} count parts that are replaced
 * @param {...Part} parts
 * @returns {ScheduleNode}
 */
function spliced(node, from, count, ...parts) {
  const all = [...partsOf(node)];
  all.splice(from, count, ...parts);
  return fromParts(all);
}

/**
 * A new knot on the curve. Constant, linear and exponential segments split exactly; of others
 * each piece becomes the shape that strays least from it, with the same end values.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} step
 * @returns {ScheduleNode | Refusal}
 */
export function insertKnot(catalogue, node, step) {
  const index = partAt(node, step);
  const part = partsOf(node)[index];
  const at = step - starts(node)[index];
  if (!Number.isInteger(step) || at < 1 || (part.steps !== null && at >= part.steps)) {
    return { error: "a new knot must have at least 1 step on either side" };
  }
  const rest = part.steps === null ? null : part.steps - at;
  const pieces = [cut(part, 0, at), cut(part, at, rest)];
  return spliced(node, index, 1, ...pieces.map((piece) => asSegment(catalogue, piece)));
}

/**
 * Remove the knots at a border: its two neighbours become one segment.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} border
 * @returns {ScheduleNode | Refusal}
 */
export function removeKnot(catalogue, node, border) {
  const parts = partsOf(node);
  if (border < 1 || border >= parts.length) {
    return { error: "the first and the last knot stay; only those between can be removed" };
  }
  const [left, right] = [parts[border - 1], parts[border]];
  if (right.steps === null) {
    // What is without end stays so, and begins earlier.
    return spliced(node, border - 1, 2, right);
  }
  const joined = merged(catalogue, left, right, (left.steps ?? 0) + right.steps);
  return spliced(node, border - 1, 2, joined);
}

/**
 * Remove a segment. The one before it takes its steps (for the first: the one after), and its end
 * value too where the curve had no jump there.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} index
 * @returns {ScheduleNode | Refusal}
 */
export function removeSegment(catalogue, node, index) {
  const parts = partsOf(node);
  if (parts.length === 1) {
    return { error: "a schedule must have at least one segment" };
  }
  const gone = parts[index];
  const heir = parts[index === 0 ? 1 : index - 1];
  const end = index === 0 ? "start" : "end";
  const wasJoined = isJoined(parts, index === 0 ? 1 : index);
  if (gone.steps === null || heir.steps === null) {
    const endless = heir.steps !== null && declarationOf(catalogue, heirShape(heir)).endless;
    const kept = endless && heir.node === "segment" ? { ...heir, steps: null } : heir;
    return spliced(node, Math.max(0, index - 1), 2, kept);
  }
  /** @type {Part} */
  let kept = { ...heir, steps: heir.steps + gone.steps };
  const parameter = endParameter(catalogue, heir, end);
  const value = end === "end" ? endValue(gone) : startValue(gone);
  const allowed = parameter?.role === end && !violation(parameter.name, parameter, value);
  if (wasJoined && allowed && kept.node === "segment") {
    kept = withParameter(catalogue, kept, parameter.name, value);
  }
  return spliced(node, Math.max(0, index - 1), 2, kept);
}

/** @param {Part} part */
function heirShape(part) {
  return part.node === "slice" ? part.part.shape : part.shape;
}

/**
 * A straight segment behind the last, at its end value and a tenth of the length: the schedule
 * grows by it.
 *
 * @param {ScheduleNode} node
 * @returns {ScheduleNode | Refusal}
 */
export function appendSegment(node) {
  const parts = partsOf(node);
  const last = parts[parts.length - 1];
  const before = starts(node)[parts.length - 1] + (last.steps ?? 0);
  const length = Math.max(1, Math.round((before || 1000) / 10));
  if (before + 2 * length > MAX_STEPS) {
    return { error: `a schedule must be at most ${MAX_STEPS} steps long` };
  }
  const value = endValue(last);
  const finite = last.steps === null ? { ...last, steps: before ? length : 1000 } : last;
  /** @type {SegmentNode} */
  const added = {
    node: "segment",
    shape: "linear",
    steps: length,
    parameters: { init_value: value, end_value: value },
  };
  return spliced(node, parts.length - 1, 1, finite, added);
}

/**
 * Another shape for a segment or a slice, with its end values as far as the shape allows them.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} index
 * @param {string} shape
 * @returns {ScheduleNode | Refusal}
 */
export function changeShape(catalogue, node, index, shape) {
  const part = partsOf(node)[index];
  const declaration = declarationOf(catalogue, shape);
  const [from, to] = [startValue(part), endValue(part)];
  const highest = Math.max(from, to);
  const before = starts(node)[index];
  /** @type {Record<string, number>} */
  const parameters = {};
  for (const parameter of declaration.parameters) {
    const wanted = { start: from, end: to, level: highest, free: parameter.default }[
      parameter.role
    ];
    // A shape that cannot be zero ends two decades below its start.
    const quantum = highest > 0 ? 0.01 * highest : parameter.default;
    parameters[parameter.name] = clampTo(parameter, wanted, quantum);
  }
  // What was without end gets a length beside that of the rest.
  const finite = Math.max(1, Math.round(before / 4));
  const endless = part.steps === null && declaration.endless;
  const length = part.steps ?? (endless ? null : before ? finite : 1000);
  return spliced(node, index, 1, { node: "segment", shape, steps: length, parameters });
}

/**
 * Set a parameter of a segment. With `follow`, what is joined to that end moves too, as it does
 * with a knot.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} index
 * @param {string} name
 * @param {number} value
 * @param {boolean} [follow]
 * @returns {ScheduleNode | Refusal}
 */
export function setParameter(catalogue, node, index, name, value, follow = false) {
  const part = partsOf(node)[index];
  const segment = asSegment(catalogue, part);
  const parameter = declarationOf(catalogue, segment.shape).parameters.find(
    (each) => each.name === name,
  );
  if (!parameter) {
    return { error: `the shape ${segment.shape} has no parameter ${name}` };
  }
  const rule = violation(name, parameter, value);
  if (rule) {
    return { error: rule };
  }
  if (follow && parameter.role !== "free") {
    const end = parameter.role === "end" ? "end" : "start";
    const knot = knots(catalogue, node).find(({ ends }) =>
      ends.some((each) => each.part === index && each.end === end),
    );
    if (knot) {
      return moveKnot(catalogue, node, knot, { value });
    }
  }
  return spliced(node, index, 1, withParameter(catalogue, segment, name, value));
}

/**
 * Set a segment's length. The next segment gives or takes the difference; behind the last there is
 * none, and the schedule's own length changes.
 *
 * @param {Catalogue} catalogue
 * @param {ScheduleNode} node
 * @param {number} index
 * @param {number | null} length null is without end
 * @returns {ScheduleNode | Refusal}
 */
export function setSteps(catalogue, node, index, length) {
  const parts = partsOf(node);
  const part = parts[index];
  const next = parts[index + 1];
  if (length === null) {
    const able = part.node === "segment" && declarationOf(catalogue, part.shape).endless;
    if (next || !able) {
      return { error: "only a constant segment at the end can be without end" };
    }
    return spliced(node, index, 1, { ...part, steps: null });
  }
  if (!Number.isInteger(length) || length < 1) {
    return { error: `steps must be a whole number >= 1, got ${length}` };
  }
  if (part.steps === null) {
    return spliced(node, index, 1, { ...part, steps: Math.min(length, MAX_STEPS) });
  }
  if (next?.steps && length - part.steps >= next.steps) {
    const most = part.steps + next.steps - 1;
    return { error: `steps must be at most ${most}, so that the next segment keeps 1` };
  }
  return moveBorders(node, index + 1, index + 1, length - part.steps);
}

/**
 * How far a whole segment can move along x: its neighbours give and take, or with `rigid` move
 * along and those behind them do.
 *
 * @param {ScheduleNode} node
 * @param {number} index
 * @param {boolean} rigid
 * @param {number | null} [locked] the present step of a run
 * @returns {{first: number, last: number, low: number, high: number}} borders that move, and by
 *   how many steps they can
 */
export function segmentRoom(node, index, rigid, locked = null) {
  const parts = partsOf(node);
  const begins = starts(node);
  const first = rigid ? index - 1 : index;
  // The last border that there is to move: a part without end has none behind it.
  const end = parts[parts.length - 1].steps === null ? parts.length - 1 : parts.length;
  const last = Math.min(rigid ? index + 2 : index + 1, end);
  // The end of the schedule moves by its own knot only.
  const after = parts[last];
  if (first < 1 || !after || (locked !== null && begins[first] <= locked)) {
    return { first, last, low: 0, high: 0 };
  }
  const shortest = 1 - /** @type {number} */ (parts[first - 1].steps);
  return {
    first,
    last,
    low: Math.min(0, Math.max(shortest, (locked ?? -1) + 1 - begins[first])),
    high: after.steps === null ? MAX_STEPS - begins[parts.length - 1] : after.steps - 1,
  };
}

/**
 * Move a whole segment along x.
 *
 * @param {ScheduleNode} node
 * @param {number} index
 * @param {number} by steps
 * @param {boolean} [rigid] both neighbours keep their lengths
 * @returns {ScheduleNode | Refusal}
 */
export function moveSegment(node, index, by, rigid = false) {
  const { first, last, low, high } = segmentRoom(node, index, rigid);
  if (by < low || by > high) {
    return { error: "the segment has no room to move there" };
  }
  return moveBorders(node, first, last, by);
}

/**
 * The free parameter of a segment at which its middle has a given value; the nearest one where
 * none does.
 *
 * @param {Catalogue} catalogue
 * @param {SegmentNode} segment
 * @param {number} value
 * @returns {number | null} null where there is nothing to bend
 */
export function solveFree(catalogue, segment, value) {
  const [parameter] = freeParameters(catalogue, segment);
  const middle = (segment.steps ?? 0) / 2;
  const at = (/** @type {number} */ x) =>
    valueIn({ ...segment, parameters: { ...segment.parameters, [parameter.name]: x } }, middle);
  if (!parameter || parameter.low === null || parameter.high === null) {
    return null;
  }
  let [a, b] = [Math.log(parameter.low), Math.log(parameter.high)];
  const rising = at(parameter.high) > at(parameter.low);
  if (at(parameter.high) === at(parameter.low)) {
    return null;
  }
  for (let i = 0; i < 40; i += 1) {
    const x = (a + b) / 2;
    if (at(Math.exp(x)) < value === rising) {
      a = x;
    } else {
      b = x;
    }
  }
  const found = Number(Math.exp((a + b) / 2).toPrecision(3));
  return Math.min(parameter.high, Math.max(parameter.low, found));
}
