/**
 * Links dragged to another place among others that flow in rows.
 */

import { setAttribute } from "../shared/dom.js";

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */

/** A press that moves no further is a click. */
const LEAST = 4;

/**
 * @param {Box[]} boxes in their order
 * @param {number} x
 * @param {number} y
 * @param {number} wide An item of this width or more is a row of its own.
 * @returns {number} how many of them lie before that point
 */
export function gapAt(boxes, x, y, wide) {
  const after = boxes.findIndex(({ left, top, right, bottom }) =>
    right - left >= wide
      ? y < (top + bottom) / 2
      : y < top || (y <= bottom && x < (left + right) / 2),
  );
  return after < 0 ? boxes.length : after;
}

/**
 * @param {object} host
 * @param {HTMLElement} host.list
 * @param {() => HTMLElement[]} host.items
 * @param {(from: number, to: number) => void} host.drop `to` is the index afterwards.
 * @param {AbortSignal} host.signal
 * @returns {(event: PointerEvent, index: number) => void} to be called when an item is pressed
 */
export function createDrag({ list, items, drop, signal }) {
  return ({ button, clientX, clientY, pointerId }, index) => {
    if (button !== 0) {
      return;
    }
    const all = items();
    const own = all[index];
    const end = new AbortController();
    const listen = { signal: AbortSignal.any([end.signal, signal]), capture: true };
    let gap = -1;

    /** @param {number} now The style sheet draws a mark before the item there, or after the last. */
    function mark(now) {
      gap = now;
      for (const [i, item] of all.entries()) {
        const last = gap === all.length && i === gap - 1;
        setAttribute(item, "data-drop", last ? "after" : i === gap ? "before" : null);
      }
    }

    /** @param {PointerEvent} event */
    function move({ clientX: x, clientY: y }) {
      if (gap >= 0 || Math.hypot(x - clientX, y - clientY) >= LEAST) {
        own.setPointerCapture(pointerId);
        own.classList.add("lrw-dragged");
        const boxes = all.map((item) => item.getBoundingClientRect());
        mark(gapAt(boxes, x, y, 0.8 * list.clientWidth));
      }
    }

    /** @param {boolean} keep */
    function finish(keep) {
      const to = gap > index ? gap - 1 : gap;
      end.abort();
      own.classList.remove("lrw-dragged");
      if (gap >= 0) {
        mark(-1);
        // The press was no click on what is under it.
        const swallow = (/** @type {Event} */ click) => click.stopPropagation();
        own.addEventListener("click", swallow, { capture: true, once: true });
        setTimeout(() => own.removeEventListener("click", swallow, { capture: true }));
        // What Python did meanwhile may have put another there.
        if (keep && items()[index] === own) {
          drop(index, to);
        }
      }
    }

    /** @type {Record<string, (event: any) => void>} */
    const heard = {
      pointermove: move,
      pointerup: () => finish(true),
      pointercancel: () => finish(false),
      keydown(event) {
        if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          finish(false);
        }
      },
    };
    for (const [name, listener] of Object.entries(heard)) {
      own.ownerDocument.addEventListener(name, listener, listen);
    }
  };
}
