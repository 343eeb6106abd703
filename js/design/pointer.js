/**
 * Mouse, pen and finger on the canvas.
 */

import { evaluate, partAt } from "../schedule/model.js";
import { onAbort } from "../shared/listeners.js";
import { bendDrag, bodyDrag, knotDrag, STILL } from "./drags.js";
import { stepAtPixel } from "./scales.js";
import { panned, pinch } from "./zooming.js";

/** @typedef {import("./surface.js").Point} Point */
/** @typedef {import("./surface.js").View} View */
/** @typedef {import("./handles.js").HandleState} HandleState */

/**
 * What a pointer that is down does: `end` says whether to keep it, which is not asked of one that
 * has not moved.
 *
 * @typedef {object} Gesture
 * @property {(by: Point, event: PointerEvent) => void} move
 * @property {(keep: boolean) => void} end
 */

/** Pixels by which a finger trembles. */
const TREMBLE = 8;
/** Milliseconds after which a finger that rests means a double click. */
const LONG_PRESS = 500;
/** Pixels from the curve within which a double click is meant for it. */
const REACH = 14;

/** @param {import("./surface.js").Surface} surface */
export function listenToPointer(surface) {
  const { element, handles, editing, selection, pencil, signal } = surface;
  /** @type {{id: number, from: Point, client: Point, moved: boolean, gesture: Gesture} | null} */
  let held = null;
  /** @type {Map<number, number>} where fingers are along x */
  const fingers = new Map();
  /** @type {((left: number, right: number) => [number, number]) | null} */
  let pinching = null;
  let press = 0;

  /** @param {MouseEvent} event @returns {Point} */
  function pointOf(event) {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  /**
   * @param {PointerEvent} event
   * @param {Gesture} gesture
   */
  function grab(event, gesture) {
    // The canvas keeps the capture, not the handle: that may be replaced while it is dragged.
    element.setPointerCapture(event.pointerId);
    const client = { x: event.clientX, y: event.clientY };
    held = { id: event.pointerId, from: pointOf(event), client, moved: false, gesture };
    // Escape takes the drag back wherever the focus is.
    element.ownerDocument.addEventListener("keydown", onEscape, { capture: true, signal });
  }

  /** @param {boolean} keep */
  function release(keep) {
    clearTimeout(press);
    if (!held) {
      return;
    }
    const { id, moved, gesture } = held;
    held = null;
    element.ownerDocument.removeEventListener("keydown", onEscape, { capture: true });
    element.classList.remove("lrw-dragging");
    if (element.hasPointerCapture(id)) {
      element.releasePointerCapture(id);
    }
    surface.aim({});
    gesture.end(keep && moved);
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

  /**
   * @param {import("./drags.js").Drag} drag
   * @returns {Gesture}
   */
  function edit(drag) {
    editing.begin("pointer");
    return {
      move(by, event) {
        element.classList.add("lrw-dragging");
        const { move, aim } = drag(by, {
          free: event.ctrlKey || event.metaKey,
          rigid: event.altKey,
        });
        surface.aim(aim);
        editing.drag(move);
      },
      end: (keep) => (keep ? editing.finish() : editing.cancel()),
    };
  }

  /**
   * @param {HandleState} handle
   * @param {View} view
   */
  function handleDrag({ key, target, x, y }, view) {
    if (target.kind === "bend") {
      return bendDrag(target.fromEnd, { x, y }, view);
    }
    const refs = [target.ref, ...selection.others(key)];
    return knotDrag(surface.scene(), refs, { x, y }, view, surface.stepsPerEpoch());
  }

  /**
   * @param {View} view
   * @returns {Gesture}
   */
  function pan(view) {
    const width = view.box.right - view.box.left;
    return { move: (by) => surface.look(panned(view, -by.x / width)), end: () => {} };
  }

  /**
   * A frame whose handles are chosen beside those that were.
   *
   * @param {Point} from
   * @returns {Gesture}
   */
  function marquee(from) {
    let to = from;
    return {
      move(by) {
        to = { x: from.x + by.x, y: from.y + by.y };
        surface.frame(from, to);
      },
      end(keep) {
        surface.frame(from, from);
        const within = (/** @type {"x" | "y"} */ axis, /** @type {HandleState} */ handle) =>
          (handle[axis] - from[axis]) * (handle[axis] - to[axis]) <= 0;
        if (keep) {
          const framed = handles.all().filter((each) => within("x", each) && within("y", each));
          selection.add(framed.map(({ key }) => key));
        }
      },
    };
  }

  /** @param {PointerEvent} event */
  function onDown(event) {
    const view = surface.view();
    if (event.button !== 0 || !view) {
      return;
    }
    const at = pointOf(event);
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, at.x);
      if (fingers.size === 2 && surface.zoomable) {
        release(false);
        const [left, right] = [...fingers.values()].sort((a, b) => a - b);
        pinching = pinch(view, left, right);
        return;
      }
    }
    if (!held) {
      begin(event, at, view);
    }
    if (held && event.pointerType === "touch" && !pencil.active()) {
      press = setTimeout(() => {
        release(false);
        onDoubleClick(event);
      }, LONG_PRESS);
    }
  }

  /**
   * @param {PointerEvent} event
   * @param {Point} at
   * @param {View} view
   */
  function begin(event, at, view) {
    // No text selection and no page scrolling; the focus is then set by hand.
    if (pencil.active()) {
      event.preventDefault();
      element.focus({ preventScroll: true });
      grab(event, pencil.stroke(at, view));
      return;
    }
    const handle = handles.at(event.target);
    if (handle) {
      event.preventDefault();
      if (event.shiftKey) {
        selection.toggle(handle.key);
      } else {
        selection.keepIf(handle.key);
        grab(event, edit(handleDrag(handle, view)));
      }
      handles.focus(handle.key);
    } else if (event.shiftKey) {
      event.preventDefault();
      grab(event, marquee(at));
    } else {
      selection.keepIf(null);
      const index = partUnder(event);
      if (index !== null) {
        surface.select(index);
      }
      if (index !== null && onBody(event)) {
        event.preventDefault();
        grab(event, edit(bodyDrag(surface.scene(), index, view)));
      } else if (surface.zoomable && (at.y > view.box.bottom || event.pointerType === "touch")) {
        grab(event, pan(view));
      }
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
    const { x, y } = pointOf(event);
    if (!view || x < view.box.left || x > view.box.right || y > view.box.bottom) {
      return null;
    }
    return partAt(surface.scene().node, view.x.value(x));
  }

  /** @param {PointerEvent} event */
  function onMove(event) {
    if (fingers.has(event.pointerId) && pinching) {
      fingers.set(event.pointerId, pointOf(event).x);
      const [left, right] = [...fingers.values()].sort((a, b) => a - b);
      surface.look(pinching(left, right ?? left));
    } else if (!held) {
      surface.hover(event.pointerType === "touch" ? null : pointOf(event));
    } else if (event.pointerId === held.id) {
      // From the events alone: to ask for the layout in each frame would cost one.
      const by = { x: event.clientX - held.client.x, y: event.clientY - held.client.y };
      const least = pencil.active() ? 0 : event.pointerType === "touch" ? TREMBLE : STILL;
      if (held.moved || Math.hypot(by.x, by.y) > least) {
        clearTimeout(press);
        held.moved = true;
        held.gesture.move(by, event);
      }
    }
  }

  /** @param {MouseEvent} event */
  function onDoubleClick(event) {
    const view = surface.view();
    const handle = handles.at(event.target);
    if (pencil.active() || !view) {
      return;
    }
    if (handle) {
      surface.openField(handle);
      return;
    }
    if (partUnder(event) === null) {
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
    if (fingers.delete(event.pointerId)) {
      pinching = null;
    }
    if (event.pointerId === held?.id) {
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
    if (handles.at(event.target) || pencil.active() || event.touches.length > 1) {
      event.preventDefault();
    }
  }

  /** A finger that rests has its own meaning here. @param {Event} event */
  function onMenu(event) {
    if (fingers.size > 0) {
      event.preventDefault();
    }
  }

  /** @type {Record<string, (event: any) => void>} */
  const listeners = {
    touchstart: onTouch,
    pointerdown: onDown,
    pointermove: onMove,
    pointerup: onEnd(true),
    pointercancel: onEnd(false),
    lostpointercapture: onEnd(false),
    pointerleave: () => surface.hover(null),
    dblclick: onDoubleClick,
    contextmenu: onMenu,
  };
  for (const [type, listener] of Object.entries(listeners)) {
    element.addEventListener(type, listener, { signal, passive: false });
  }
  onAbort(signal, () => clearTimeout(press));
}
