/**
 * The keyboard on the canvas: whatever the pointer does to a handle, in shares of its axis.
 */

import { MAX_STEPS, partsOf, peak, starts } from "../schedule/model.js";
import { bend, knotOf, shiftKnot } from "./moves.js";

/** @typedef {import("./handles.js").HandleState} HandleState */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {import("./editing.js").Move} Move */
/** @typedef {import("./surface.js").View} View */

/** What the keys do, for those who cannot see it. */
export const KEYS_HELP =
  "Arrow keys move by 1 percent, with Shift by 10, with Alt by 0.1. Home and End move to the " +
  "neighbours. Enter opens the number field. Insert adds a knot behind this one. Delete removes it.";

/** @param {import("./surface.js").Surface} surface */
export function listenToKeys(surface) {
  const { root, handles, editing, signal } = surface;

  /** @param {KeyboardEvent} event */
  function onDown(event) {
    const handle = handles.at(event.target);
    const view = surface.view();
    if (!handle || !view || event.ctrlKey || event.metaKey || editing.active() === "pointer") {
      return;
    }
    const before = editing.base() ?? surface.scene().node;
    const move = moveOf(handle, event, view, peak(before) || view.y.high);
    if (move) {
      if (!editing.active()) {
        editing.begin("keys");
      }
      editing.nudge(move);
    } else if (event.key === "Escape" && editing.active()) {
      editing.cancel();
    } else if (event.key === "Enter") {
      surface.openField(handle);
    } else if (event.key === "Insert" || event.key === "+") {
      surface.insert(middleBehind(surface.scene(), handle));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      if (handle.target.kind === "knot") {
        surface.remove(handle.target.ref);
      }
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** What held keys did is one edit. */
  function onEnd() {
    if (editing.active() === "keys") {
      editing.finish();
    }
  }

  root.addEventListener("keydown", onDown, { signal });
  root.addEventListener("keyup", onEnd, { signal });
  root.addEventListener("focusout", onEnd, { signal });
}

/**
 * @param {HandleState} handle
 * @param {KeyboardEvent} event
 * @param {View} view
 * @param {number} highest the value of which one hundredth is a step of the linear axis
 * @returns {Move | null} null for keys that move nothing
 */
function moveOf({ target, now }, event, { x, y }, highest) {
  const share = event.altKey ? 0.001 : event.shiftKey ? 0.1 : 0.01;
  const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const along = { ArrowDown: -1, ArrowUp: 1 }[event.key] ?? 0;
  const extreme = { Home: -1, End: 1 }[event.key] ?? 0;
  if (across + along + extreme === 0) {
    return null;
  }
  if (target.kind === "bend") {
    const parameter = extreme
      ? extreme * Number.MAX_VALUE
      : tidy(now * (1 + share) ** (across + along));
    return (scene) => bend(scene, target.fromEnd, { parameter });
  }
  const { ref } = target;
  if (along !== 0) {
    return (scene) => {
      const value = knotOf(scene, ref)?.value ?? 0;
      const next = y.log ? multiplied(value, along, share, y.low) : value + along * share * highest;
      return shiftKnot(scene, ref, { value: tidy(next) }, 1e-3 * share * highest);
    };
  }
  if (across !== 0) {
    const size = Math.max(1, Math.round(share * x.high));
    return (scene) => {
      const step = (knotOf(scene, ref)?.step ?? 0) + across * size;
      return shiftKnot(scene, ref, { step }, 1);
    };
  }
  return (scene) => {
    const knot = knotOf(scene, ref);
    const furthest = Math.min(knot?.highStep ?? 0, scene.furthest);
    return extreme > 0 && furthest >= MAX_STEPS
      ? { error: "there is no neighbour on this side" }
      : shiftKnot(scene, ref, { step: extreme * MAX_STEPS }, 1);
  };
}

/**
 * @param {number} value
 * @param {number} direction
 * @param {number} share
 * @param {number} foot the lowest value of the axis, the first one above zero
 */
function multiplied(value, direction, share, foot) {
  if (value > 0) {
    return value * (1 + share) ** direction;
  }
  return direction > 0 ? foot : 0;
}

/** @param {number} x */
function tidy(x) {
  return Number(x.toPrecision(6));
}

/**
 * The middle of the segment behind a knot, or of the one that a diamond bends.
 *
 * @param {Scene} scene
 * @param {HandleState} handle
 * @returns {number}
 */
function middleBehind({ node, locked }, { target }) {
  const parts = partsOf(node);
  const fromEnd = target.kind === "knot" ? target.ref.fromEnd : target.fromEnd;
  const index = Math.min(parts.length - fromEnd, parts.length - 1);
  const begin = Math.max(starts(node)[index], (locked ?? -1) + 1);
  const end = starts(node)[index] + (parts[index].steps ?? 2000);
  return Math.floor((begin + end) / 2);
}
