/**
 * Schedules in the browser: what panels and canvas may use of this room.
 */

export { clampTo, declarationOf, endParameter, fieldsOf, violation } from "./declarations.js";
export {
  appendSegment,
  changeShape,
  insertKnot,
  moveSegment,
  removeKnot,
  removeKnots,
  removeSegment,
  segmentRoom,
  setParameter,
  setSteps,
  solveFree,
} from "./edits.js";
export { asSegment } from "./fit.js";
export { freehand } from "./freehand.js";
export { expand, leaves, setLeafParameter, setNodeField, tree, wrap } from "./inner.js";
export { findKnot, knots, moveBorders, moveKnot, moveKnots, refused } from "./knots.js";
export {
  borders,
  ENDLESS,
  lengthOf,
  MAX_STEPS,
  nameOf,
  partAt,
  partsOf,
  same,
  segmentOf,
  starts,
  steps,
} from "./nodes.js";
export { endValue, evaluate, evaluateMany, peak, startValue, valueIn } from "./values.js";
export { openFuture, resize, scale } from "./whole.js";

/** @typedef {import("./nodes.js").Part} Part */
/** @typedef {import("./nodes.js").SegmentNode} SegmentNode */
/** @typedef {import("./nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./declarations.js").Catalogue} Catalogue */
/** @typedef {import("./declarations.js").ShapeDeclaration} ShapeDeclaration */
/** @typedef {import("./declarations.js").ParameterDeclaration} ParameterDeclaration */
/** @typedef {import("./declarations.js").NodeField} NodeField */
/** @typedef {import("./knots.js").Knot} Knot */
/** @typedef {import("./knots.js").Refusal} Refusal */
