/**
 * What hand and keyboard can do to a curve, in terms of the model: clamped to what is allowed, and
 * in a run never touching what is past.
 *
 * Knots and segments are counted from the end: a run that goes on, or a segment that opens at the
 * present step, changes what stands before them only.
 */

import {
  clampTo,
  findKnot,
  insertKnot,
  knots,
  moveBorders,
  moveKnot,
  openFuture,
  partsOf,
  refused,
  removeKnot,
  segmentRoom,
  setParameter,
  solveFree,
  starts,
} from "../schedule/model.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Catalogue} Catalogue */
/** @typedef {import("../schedule/model.js").Knot} Knot */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */

/**
 * @typedef {object} Scene
 * @property {Catalogue} catalogue
 * @property {ScheduleNode} node
 * @property {number | null} locked the present step of a run, null in design
 * @property {number} furthest the last step to which a knot can move
 */

/** @typedef {{fromEnd: number, side: Knot["side"]}} KnotRef */

/** @type {Refusal} */
const PASSED = { error: "the run has passed this point" };

/**
 * @param {ScheduleNode} node
 * @param {Knot} knot
 * @returns {KnotRef}
 */
export function refOf(node, knot) {
  return { fromEnd: partsOf(node).length - knot.border, side: knot.side };
}

/**
 * @param {Scene} scene
 * @param {KnotRef} ref
 * @returns {Knot | null}
 */
export function knotOf({ catalogue, node, locked }, { fromEnd, side }) {
  const all = knots(catalogue, node, locked);
  return all[findKnot(all, { border: partsOf(node).length - fromEnd, side })] ?? null;
}

/**
 * The part that the present step cuts through.
 *
 * @param {Scene} scene
 * @returns {number} -1 where there is none
 */
export function spanning({ node, locked }) {
  if (locked === null) {
    return -1;
  }
  return partsOf(node).findIndex((part, i) => {
    const begin = starts(node)[i];
    return begin <= locked && (part.steps === null || begin + part.steps > locked + 1);
  });
}

/**
 * The scene in which some parts can be changed: the one that the present step cuts through is
 * opened there, so that the curve goes on from where it is.
 *
 * @param {Scene} scene
 * @param {number[]} touched indices of parts
 * @returns {Scene}
 */
function opened(scene, touched) {
  if (scene.locked === null || !touched.includes(spanning(scene))) {
    return scene;
  }
  return { ...scene, node: openFuture(scene.catalogue, scene.node, scene.locked) };
}

/**
 * Move a knot as near to a place as its neighbours and the declared range allow.
 *
 * @param {Scene} scene
 * @param {KnotRef} ref
 * @param {{step?: number, value?: number}} to
 * @param {number} quantum how far inside an open bound a value stays, > 0
 * @returns {ScheduleNode | Refusal}
 */
export function shiftKnot(scene, ref, to, quantum) {
  const before = knotOf(scene, ref);
  if (!before) {
    return PASSED;
  }
  const touched = [before.border - 1, before.border, ...before.ends.map(({ part }) => part)];
  const open = opened(scene, touched);
  const knot = knotOf(open, ref);
  if (!knot) {
    return PASSED;
  }
  const step = knot.movesStep
    ? clamp(to.step ?? knot.step, knot.lowStep, Math.min(knot.highStep, scene.furthest))
    : knot.step;
  const value =
    knot.movesValue && to.value !== undefined && to.value !== before.value
      ? clampTo(knot.range, to.value, quantum)
      : knot.value;
  return moveKnot(scene.catalogue, open.node, knot, { step, value });
}

/**
 * Bend a segment so that its middle, or the middle of what is left of it, passes a value.
 *
 * @param {Scene} scene
 * @param {number} fromEnd the segment, counted from the end
 * @param {{value: number} | {parameter: number}} to
 * @returns {ScheduleNode | Refusal}
 */
export function bend(scene, fromEnd, to) {
  const open = opened(scene, [partsOf(scene.node).length - fromEnd]);
  const index = partsOf(open.node).length - fromEnd;
  const part = partsOf(open.node)[index];
  const parameter = bendable(open, index);
  if (part?.node !== "segment" || !parameter) {
    return PASSED;
  }
  const wanted = "value" in to ? solveFree(scene.catalogue, part, to.value) : to.parameter;
  if (wanted === null) {
    return { error: "a flat segment cannot be bent" };
  }
  const within = clampTo(parameter, wanted, 0.01);
  return setParameter(scene.catalogue, open.node, index, parameter.name, within);
}

/**
 * The free parameter that a diamond stands for.
 *
 * @param {Scene} scene
 * @param {number} index
 * @returns {import("../schedule/model.js").ParameterDeclaration | null}
 */
export function bendable({ catalogue, node }, index) {
  const part = partsOf(node)[index];
  if (part?.node !== "segment" || part.samples || part.steps === null || part.steps < 2) {
    return null;
  }
  const declared = catalogue.shapes.find(({ name }) => name === part.shape);
  const parameter = declared?.twin ? declared.parameters.find(({ role }) => role === "free") : null;
  return parameter && solveFree(catalogue, part, 0) !== null ? parameter : null;
}

/**
 * Move a whole segment along x, and a constant one along y as well.
 *
 * @param {Scene} scene
 * @param {number} fromEnd the segment, counted from the end
 * @param {{by: number, value?: number, rigid?: boolean}} to
 * @param {number} quantum
 * @returns {ScheduleNode | Refusal}
 */
export function shiftSegment(scene, fromEnd, { by, value, rigid = false }, quantum) {
  const index = partsOf(scene.node).length - fromEnd;
  const { first, last } = segmentRoom(scene.node, index, rigid, scene.locked);
  const open = opened(scene, value === undefined ? [first - 1] : [first - 1, index]);
  const now = partsOf(open.node).length - fromEnd;
  const shift = now - index;
  const room = segmentRoom(open.node, now, rigid, scene.locked);
  if (by !== 0 && room.low === room.high && value === undefined) {
    return { error: "the first and the last segment keep their place: drag a border" };
  }
  const steps = clamp(by, room.low, room.high);
  const moved = moveBorders(open.node, first + shift, last + shift, steps);
  if (refused(moved) || value === undefined || !isLevel(moved, now)) {
    return moved;
  }
  const knot = knots(scene.catalogue, moved, scene.locked).find(({ ends }) =>
    ends.some(({ part }) => part === now),
  );
  if (!knot) {
    return PASSED;
  }
  return moveKnot(scene.catalogue, moved, knot, { value: clampTo(knot.range, value, quantum) });
}

/**
 * @param {ScheduleNode} node
 * @param {number} index
 * @returns {boolean} whether one value is the height of the whole segment
 */
export function isLevel(node, index) {
  const part = partsOf(node)[index];
  return part?.node === "segment" && part.shape === "constant";
}

/**
 * A new knot on the curve, in a run only on what is left of it.
 *
 * @param {Scene} scene
 * @param {number} step
 * @returns {ScheduleNode | Refusal}
 */
export function addKnot({ catalogue, node, locked }, step) {
  if (locked !== null && step <= locked) {
    return PASSED;
  }
  return insertKnot(catalogue, locked === null ? node : openFuture(catalogue, node, locked), step);
}

/**
 * Remove a knot, or both at a jump: the segments beside them become one.
 *
 * @param {Scene} scene
 * @param {KnotRef} ref
 * @returns {ScheduleNode | Refusal}
 */
export function dropKnot(scene, ref) {
  const knot = knotOf(scene, ref);
  if (!knot) {
    return PASSED;
  }
  const open = opened(scene, [knot.border - 1]);
  const border = partsOf(open.node).length - ref.fromEnd;
  return removeKnot(scene.catalogue, open.node, border);
}

/**
 * @param {number} x
 * @param {number} low
 * @param {number} high
 */
function clamp(x, low, high) {
  return Math.max(low, Math.min(high, x));
}
