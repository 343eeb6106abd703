/**
 * Mouse, pen and finger on the canvas.
 */

import { endValue, evaluate, knots, partAt, partsOf, startValue } from "../schedule/model.js";
import { bend, isLevel, shiftKnot, shiftSegment } from "./moves.js";
import { pixelQuantum, roundDown, stepAtPixel, valueAtPixel } from "./scales.js";

/** @typedef {import("./surface.js").Point} Point */
/** @typedef {import("./surface.js").View} View */
/** @typedef {import("./scales.js").Scale} Scale */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {import("./moves.js").KnotRef} KnotRef */
/** @typedef {(by: Point, event: PointerEvent) => import("./editing.js").Move} Drag */

/** Pixels within which a drag has not begun, or has come back to where it was. */
const STILL = 3;
/** Pixels within which a value becomes that of a neighbour, or zero. */
const SNAP = 5;
/** Pixels from the curve within which a double click is meant for it. */
const REACH = 14;

/** @param {import("./surface.js").Surface} surface */
export function listenToPointer(surface) {
  const { element, handles, editing, signal } = surface;
  /** @type {{id: number, from: Point, moved: boolean, move: Drag} | null} */
  let drag = null;

  /** @param {MouseEvent} event @returns {Point} */
  function pointOf(event) {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  /**
   * @param {PointerEvent} event
   * @param {Drag} move
   */
  function grab(event, move) {
    // The canvas keeps the capture, not the handle: that may be replaced while it is dragged.
    element.setPointerCapture(event.pointerId);
    editing.begin("pointer");
    drag = { id: event.pointerId, from: pointOf(event), moved: false, move };
    // Escape takes the drag back wherever the focus is.
    element.ownerDocument.addEventListener("keydown", onEscape, { capture: true, signal });
  }

  /** @param {boolean} keep */
  function release(keep) {
    if (!drag) {
      return;
    }
    const { id, moved } = drag;
    drag = null;
    element.ownerDocument.removeEventListener("keydown", onEscape, { capture: true });
    element.classList.remove("lrw-dragging");
    if (element.hasPointerCapture(id)) {
      element.releasePointerCapture(id);
    }
    if (keep && moved) {
      editing.finish();
    } else {
      editing.cancel();
    }
  }

  /** @param {KeyboardEvent} event */
  function onEscape(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      release(false);
      surface.announce("taken back");
    }
  }

  /** @param {PointerEvent} event */
  function onDown(event) {
    const view = surface.view();
    if (drag || event.button !== 0 || !view) {
      return;
    }
    // No text selection and no page scrolling; the focus is then set by hand.
    const handle = handles.at(event.target);
    if (handle) {
      event.preventDefault();
      const { target } = handle;
      const at = { x: handle.x, y: handle.y };
      grab(
        event,
        target.kind === "knot"
          ? knotDrag(surface.scene(), target.ref, at, view)
          : bendDrag(target.fromEnd, at, view),
      );
      handles.focus(handle.key);
      return;
    }
    const index = partUnder(event);
    if (index === null) {
      return;
    }
    surface.select(index);
    if (onBody(event)) {
      event.preventDefault();
      grab(event, bodyDrag(surface.scene(), index, view));
    }
  }

  /** @param {MouseEvent} event */
  function onBody(event) {
    return event.target instanceof Element && event.target.hasAttribute("data-part");
  }

  /**
   * @param {MouseEvent} event
   * @returns {number | null}
   */
  function partUnder(event) {
    if (onBody(event)) {
      return Number(/** @type {Element} */ (event.target).getAttribute("data-part"));
    }
    const view = surface.view();
    const { x } = pointOf(event);
    if (!view || x < view.box.left || x > view.box.right) {
      return null;
    }
    return partAt(surface.scene().node, view.x.value(x));
  }

  /** @param {PointerEvent} event */
  function onMove(event) {
    const at = pointOf(event);
    if (!drag) {
      surface.hover(event.pointerType === "touch" ? null : at);
      return;
    }
    if (event.pointerId !== drag.id) {
      return;
    }
    const by = { x: at.x - drag.from.x, y: at.y - drag.from.y };
    if (drag.moved || Math.hypot(by.x, by.y) > STILL) {
      drag.moved = true;
      element.classList.add("lrw-dragging");
      editing.drag(drag.move(by, event));
    }
  }

  /** @param {MouseEvent} event */
  function onDoubleClick(event) {
    const view = surface.view();
    const handle = handles.at(event.target);
    if (handle) {
      surface.openField(handle);
      return;
    }
    if (!view || partUnder(event) === null) {
      return;
    }
    const at = pointOf(event);
    const step = Math.max(0, stepAtPixel(view.x, at.x));
    const distance = Math.abs(view.y.pixel(evaluate(surface.scene().node, step)) - at.y);
    if (onBody(event) || distance <= REACH) {
      surface.insert(step);
    }
  }

  /** @param {boolean} keep */
  const onEnd = (keep) => (/** @type {PointerEvent} */ event) => {
    if (event.pointerId === drag?.id) {
      release(keep);
    }
  };

  /**
   * Chromium does not heed `touch-action` on the children of an SVG element: without this a finger
   * on a handle would scroll the page.
   *
   * @param {TouchEvent} event
   */
  function onTouch(event) {
    if (handles.at(event.target)) {
      event.preventDefault();
    }
  }

  element.addEventListener("touchstart", onTouch, { signal, passive: false });
  element.addEventListener("pointerdown", onDown, { signal });
  element.addEventListener("pointermove", onMove, { signal });
  element.addEventListener("pointerup", onEnd(true), { signal });
  element.addEventListener("pointercancel", onEnd(false), { signal });
  element.addEventListener("lostpointercapture", onEnd(false), { signal });
  element.addEventListener("pointerleave", () => surface.hover(null), { signal });
  element.addEventListener("dblclick", onDoubleClick, { signal });
}

/**
 * @param {Scene} scene
 * @param {KnotRef} ref
 * @param {Point} at where the handle was
 * @param {View} view as it was: an axis that grows during the drag does not pull the pointer along
 * @returns {Drag}
 */
function knotDrag(scene, ref, at, { x, y }) {
  const near = otherValues(scene, ref);
  return (by) => (current) =>
    shiftKnot(
      current,
      ref,
      {
        step: Math.abs(by.x) > STILL ? stepAtPixel(x, at.x + by.x) : undefined,
        value: Math.abs(by.y) > STILL ? snapped(y, at.y + by.y, near) : undefined,
      },
      quantumOf(y),
    );
}

/**
 * The values of the knots beside one that do not move with it: places to snap to.
 *
 * @param {Scene} scene
 * @param {KnotRef} ref
 * @returns {number[]}
 */
function otherValues({ catalogue, node, locked }, ref) {
  const all = knots(catalogue, node, locked);
  const border = partsOf(node).length - ref.fromEnd;
  const held = all.find((knot) => knot.border === border && knot.side === ref.side);
  return all
    .filter((knot) => Math.abs(knot.border - border) <= 1)
    .filter((knot) => !knot.ends.some((end) => held?.ends.some((own) => same(own, end))))
    .map(({ value }) => value);
}

/**
 * @param {{part: number, end: string}} a
 * @param {{part: number, end: string}} b
 */
function same(a, b) {
  return a.part === b.part && a.end === b.end;
}

/**
 * @param {number} fromEnd
 * @param {Point} at
 * @param {View} view
 * @returns {Drag}
 */
function bendDrag(fromEnd, at, { y }) {
  return (by) => (current) =>
    Math.abs(by.y) > STILL ? bend(current, fromEnd, { value: y.value(at.y + by.y) }) : current.node;
}

/**
 * @param {Scene} scene
 * @param {number} index
 * @param {View} view
 * @returns {Drag}
 */
function bodyDrag({ node }, index, { x, y }) {
  const parts = partsOf(node);
  const height = isLevel(node, index) ? y.pixel(startValue(parts[index])) : null;
  const near = [
    ...(index > 0 ? [endValue(parts[index - 1])] : []),
    ...(index + 1 < parts.length ? [startValue(parts[index + 1])] : []),
  ];
  const perPixel = x.value(1) - x.value(0);
  const quantum = Math.max(1, roundDown(perPixel));
  return (by, event) => (current) =>
    shiftSegment(
      current,
      parts.length - index,
      {
        by: Math.abs(by.x) > STILL ? Math.round((by.x * perPixel) / quantum) * quantum : 0,
        value:
          height !== null && Math.abs(by.y) > STILL ? snapped(y, height + by.y, near) : undefined,
        rigid: event.altKey,
      },
      quantumOf(y),
    );
}

/**
 * @param {Scale} y
 * @param {number} pixel
 * @param {number[]} near
 * @returns {number}
 */
function snapped(y, pixel, near) {
  const foot = y.pixel(0);
  if (y.log && pixel >= foot) {
    return 0;
  }
  const close = [...near, 0].find((value) => Math.abs(y.pixel(value) - pixel) <= SNAP);
  return close ?? valueAtPixel(y, pixel);
}

/**
 * @param {Scale} y
 * @returns {number} how far from an open bound a drag stays
 */
function quantumOf(y) {
  return y.log ? y.low : pixelQuantum(y);
}
