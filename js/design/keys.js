/**
 * The keyboard on the canvas: whatever the pointer does to a handle, in shares of its axis.
 */

import { lengthOf, MAX_STEPS, partsOf, peak, starts } from "../schedule/model.js";
import { listen } from "../shared/dom.js";
import { bend, changeOf, knotOf, shiftKnots } from "./moves.js";
import { stretchOfKey } from "./zooming.js";

/** @typedef {import("./handles.js").HandleState} HandleState */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {import("./editing.js").Move} Move */
/** @typedef {import("./surface.js").View} View */

/** What the keys do, for those who cannot see it. */
export const KEYS_HELP =
  "Arrow keys move by 1 percent, with Shift by 10, with Alt by 0.1. Home and End move to the " +
  "neighbours. Enter opens the number field. Insert adds a knot behind this one. Delete removes " +
  "it. Shift+Space selects it to move with others, Control+A selects all.";
export const CANVAS_HELP =
  "Plus and minus zoom, 0 shows everything, arrows scroll. With the pencil arrows move it, Enter " +
  "sets a point, Enter again draws, Escape takes back or leaves.";

/** @param {import("./surface.js").Surface} surface */
export function listenToKeys(surface) {
  const { element, root, handles, editing, selection, pencil, signal } = surface;

  /** @param {KeyboardEvent} event */
  function onDown(event) {
    const handle = handles.at(event.target);
    const view = surface.view();
    if ((!handle && event.target !== element) || !view || editing.active() === "pointer") {
      return;
    }
    const used =
      event.ctrlKey || event.metaKey
        ? onCommand(event)
        : handle
          ? onHandle(event, handle, view)
          : pencil.key(event, shareOf(event)) || onCanvas(event, view);
    if (used) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** @param {KeyboardEvent} event */
  function onCommand(event) {
    const all = event.key.toLowerCase() === "a" && !event.shiftKey && !event.altKey;
    if (all) {
      selection.all();
      surface.announce("all knots selected");
    }
    return all;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {View} view
   */
  function onCanvas({ key, shiftKey }, view) {
    const stretch = surface.zoomable ? stretchOfKey(view, key, shiftKey ? 0.5 : 0.1) : undefined;
    if (stretch !== undefined) {
      surface.look(stretch);
    } else if (key === "Escape" && selection.indices().length > 0) {
      selection.keepIf(null);
    } else {
      return false;
    }
    return true;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {HandleState} handle
   * @param {View} view
   */
  function onHandle(event, handle, view) {
    const { key, target } = handle;
    const before = editing.base() ?? surface.scene().node;
    const others = selection.others(key);
    const move = moveOf(handle, others, event, view, peak(before) || view.y.high);
    if (move) {
      if (!editing.active()) {
        editing.begin("keys");
      }
      editing.nudge(move);
    } else if (event.key === "Escape" && editing.active()) {
      editing.cancel();
    } else if (event.key === "Escape" && selection.indices().length > 0) {
      selection.keepIf(null);
    } else if (event.key === " " && (event.shiftKey || surface.ownsSpace)) {
      selection.toggle(key);
      surface.announce(selection.has(key) ? "selected" : "not selected");
    } else if (event.key === "Enter") {
      surface.openField(handle);
    } else if (event.key === "Insert" || event.key === "+") {
      surface.insert(middleBehind(surface.scene(), handle));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      if (target.kind === "knot") {
        surface.remove([target.ref, ...others]);
      }
    } else {
      return false;
    }
    return true;
  }

  /** What held keys did is one edit. */
  function onEnd() {
    if (editing.active() === "keys") {
      editing.finish();
    }
  }

  listen(root, { keydown: onDown, keyup: onEnd, focusout: onEnd }, signal);
}

/** @param {KeyboardEvent} event @returns {number} of an axis, that an arrow key goes */
function shareOf({ altKey, shiftKey }) {
  return altKey ? 0.001 : shiftKey ? 0.1 : 0.01;
}

/**
 * @param {HandleState} handle
 * @param {import("./moves.js").KnotRef[]} others that move with it
 * @param {KeyboardEvent} event
 * @param {View} view
 * @param {number} highest the value of which one hundredth is a step of the linear axis
 * @returns {Move | null} null for keys that move nothing
 */
function moveOf({ target, now }, others, event, { x, y }, highest) {
  const share = shareOf(event);
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
  const size = Math.max(1, Math.round(share * (x.high - x.low)));
  return (scene) => {
    const knot = knotOf(scene, ref);
    if (!knot || (extreme > 0 && Math.min(knot.highStep, scene.furthest) >= MAX_STEPS)) {
      return { error: "there is no neighbour on this side" };
    }
    const { step, value } = knot;
    const next = y.log ? multiplied(value, along, share, y.low) : value + along * share * highest;
    const to = {
      step: step + (extreme ? extreme * MAX_STEPS : across * size),
      value: along ? tidy(next) : value,
    };
    const quantum = 1e-3 * share * highest;
    return shiftKnots(scene, [ref, ...others], changeOf(knot, to, y.log), quantum);
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
  const end = starts(node)[index] + (lengthOf(parts[index]) ?? 2000);
  return Math.floor((begin + end) / 2);
}
