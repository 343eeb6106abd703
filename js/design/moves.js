/**
 * What hand and keyboard can do to a curve, in terms of the model: clamped to what is allowed, and
 * in a run never touching what is past.
 *
 * Knots and segments are counted from the end: a run that goes on, or a segment that opens at the
 * present step, changes what stands before them only.
 */

import {
  clampTo,
  ENDLESS,
  findKnot,
  insertKnot,
  knots,
  lengthOf,
  MAX_STEPS,
  moveBorders,
  moveKnot,
  moveKnots,
  openFuture,
  partsOf,
  refused,
  removeKnots,
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
    const length = lengthOf(part) ?? ENDLESS;
    return begin <= locked && begin + length > locked + 1;
  });
}

/**
 * The scene in which some parts can be changed: the one that the present step cuts through is
 * opened there, so that the curve goes on from where it is.
 *
 * @param {Scene} scene
 * @param {number[]} touched indices of parts
 * @param {string[]} [shapes] the only ones that its rest may have
 * @returns {Scene}
 */
function opened(scene, touched, shapes) {
  if (scene.locked === null || !touched.includes(spanning(scene))) {
    return scene;
  }
  return { ...scene, node: openFuture(scene.catalogue, scene.node, scene.locked, shapes) };
}

/**
 * Move several knots together, as far as the first of them that meets a neighbour or a bound.
 *
 * @param {Scene} scene
 * @param {KnotRef[]} refs
 * @param {{steps?: number, factor?: number, delta?: number}} by values become value * factor + delta
 * @param {number} quantum how far inside an open bound a value stays, > 0
 * @returns {ScheduleNode | Refusal}
 */
export function shiftKnots(scene, refs, { steps = 0, factor = 1, delta = 0 }, quantum) {
  const knotsOf = (/** @type {Scene} */ from) => refs.flatMap((ref) => knotOf(from, ref) ?? []);
  const touched = knotsOf(scene).flatMap(({ border, ends }) => [
    ...[border - 1, border],
    ...ends.map(({ part }) => part),
  ]);
  const open = opened(scene, touched);
  const held = knotsOf(open);
  const along = held.filter(({ border }) => border > 0);
  const borders = new Set(along.map(({ border }) => border));
  let shift = steps;
  for (const { border, step, lowStep, highStep } of along) {
    const low = borders.has(border - 1) ? -MAX_STEPS : Math.min(0, lowStep - step);
    const high = borders.has(border + 1) ? MAX_STEPS : Math.min(highStep, scene.furthest) - step;
    shift = clamp(shift, low, Math.max(0, high));
  }
  let by = { factor, delta };
  for (const { movesValue, value, range } of held) {
    const wanted = value * by.factor + by.delta;
    const able = movesValue ? clampTo(range, wanted, quantum) : wanted;
    if (able !== wanted) {
      by = factor === 1 ? { factor, delta: able - value } : { factor: able / value, delta };
    }
  }
  return held.length > 0
    ? moveKnots(scene.catalogue, open.node, held, { steps: shift, ...by }, scene.locked)
    : PASSED;
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
  const knot = knotOf(scene, ref);
  return knot ? shiftKnots(scene, [ref], changeOf(knot, to, false), quantum) : PASSED;
}

/**
 * What all knots that move together do when one of them goes somewhere: on a log axis their values
 * keep their ratios.
 *
 * @param {Knot} held
 * @param {{step?: number, value?: number}} to
 * @param {boolean} log
 * @returns {{steps: number, factor?: number, delta?: number}}
 */
export function changeOf(held, { step = held.step, value = held.value }, log) {
  const steps = step - held.step;
  return log && held.value > 0 && value > 0
    ? { steps, factor: value / held.value }
    : { steps, delta: value - held.value };
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
  // A cubic may be nearer to what was, but has nothing to bend.
  const open = opened(scene, [partsOf(scene.node).length - fromEnd], ["polynomial", "cosine"]);
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
  // The slopes of a drawn curve follow from its knots.
  if (part.shape === "cubic") {
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
  const earliest = (scene.locked ?? -1) + 1;
  const moved = moveBorders(open.node, first + shift, last + shift, steps, earliest);
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
 * Remove knots, both at a jump: the segments beside them become one. The first and the last knot
 * of a schedule stay.
 *
 * @param {Scene} scene
 * @param {KnotRef[]} refs
 * @returns {ScheduleNode | Refusal}
 */
export function dropKnots(scene, refs) {
  const held = refs.flatMap((ref) => knotOf(scene, ref) ?? []);
  if (held.length === 0) {
    return PASSED;
  }
  const open = opened(
    scene,
    held.map(({ border }) => border - 1),
  );
  const now = refs.flatMap((ref) => knotOf(open, ref) ?? []);
  return removeKnots(scene.catalogue, open.node, now);
}

/**
 * @param {number} x
 * @param {number} low
 * @param {number} high
 */
function clamp(x, low, high) {
  return Math.max(low, Math.min(high, x));
}
