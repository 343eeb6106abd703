/**
 * Schedules in the browser: what panels and canvas may use of this room.
 */

export {
  clampTo,
  declarationOf,
  endParameter,
  violation,
} from "./declarations.js";
export {
  appendSegment,
  changeShape,
  insertKnot,
  moveSegment,
  removeKnot,
  removeSegment,
  segmentRoom,
  setParameter,
  setSteps,
  solveFree,
} from "./edits.js";
export { asSegment } from "./fit.js";
export { findKnot, knots, MAX_STEPS, moveBorders, moveKnot, refused } from "./knots.js";
export {
  borders,
  endValue,
  evaluate,
  evaluateMany,
  partAt,
  partsOf,
  peak,
  same,
  segmentOf,
  starts,
  startValue,
  steps,
  valueIn,
} from "./nodes.js";
export { openFuture, resize, scale } from "./whole.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").SegmentNode} SegmentNode */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./declarations.js").ShapeDeclaration} ShapeDeclaration */
/** @typedef {import("./declarations.js").ParameterDeclaration} ParameterDeclaration */
/** @typedef {import("./knots.js").Knot} Knot */
/** @typedef {import("./knots.js").Refusal} Refusal */
