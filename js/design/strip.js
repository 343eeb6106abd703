/**
 * The segments as a row of buttons under the curve: each selects its segment, the borders between
 * them can be dragged.
 */

import { lengthOf, nameOf, partsOf, starts } from "../schedule/model.js";
import { h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { formatSteps } from "../shared/format.js";
import { endOf } from "./extent.js";
import { shiftKnot, shiftSegment } from "./moves.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */

/**
 * @param {object} host
 * @param {import("./editing.js").Editing} host.editing
 * @param {() => number} host.stepsPerPixel
 * @param {(index: number) => void} host.select
 * @param {() => void} host.append
 * @param {(index: number) => void} host.remove
 * @param {AbortSignal} host.signal
 * @returns {{element: HTMLElement, update: (node: ScheduleNode, selected: number) => void}}
 */
export function createStrip({ editing, stepsPerPixel, select, append, remove, signal }) {
  const segments = h("div", { class: "lrw-strip-segments" });
  const add = h(
    "button",
    {
      type: "button",
      class: "lrw-button lrw-strip-add",
      "aria-label": "add a segment at the end",
      title: "add a segment at the end",
      hook: "segment-add",
      signal,
      on: { click: append },
    },
    "+",
  );
  const element = h(
    "div",
    { class: "lrw-strip", role: "group", "aria-label": "segments" },
    segments,
    add,
  );
  /** @type {ScheduleNode | null} */
  let shown = null;
  let chosen = -1;

  /** @param {number} index */
  function build(index) {
    const text = h("span", { class: "lrw-strip-text" });
    const button = h(
      "button",
      {
        type: "button",
        class: "lrw-strip-segment",
        hook: `segment-${index}`,
        signal,
        on: {
          click: () => select(index),
          keydown: (/** @type {KeyboardEvent} */ event) => onKey(event, index),
          keyup: finishKeys,
          blur: finishKeys,
        },
      },
      text,
    );
    if (index === 0) {
      return h("div", { class: "lrw-strip-cell" }, button);
    }
    // The knot at the same border is the way of the keyboard to this.
    const border = h("div", {
      class: "lrw-strip-border",
      ...UNSEEN,
      title: "drag the border",
      signal,
      on: { pointerdown: (/** @type {PointerEvent} */ event) => grab(event, border, index) },
    });
    return h("div", { class: "lrw-strip-cell" }, button, border);
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLElement} border
   * @param {number} index
   */
  function grab(event, border, index) {
    if (event.button !== 0 || !shown) {
      return;
    }
    event.preventDefault();
    const from = event.clientX;
    const scale = stepsPerPixel();
    const begin = starts(shown)[index];
    const ref = /** @type {const} */ ({ fromEnd: partsOf(shown).length - index, side: "both" });
    const drag = new AbortController();
    const listen = { signal: AbortSignal.any([drag.signal, signal]) };
    border.setPointerCapture(event.pointerId);
    editing.begin("pointer");
    border.addEventListener(
      "pointermove",
      ({ clientX }) => {
        const step = begin + Math.round((clientX - from) * scale);
        editing.drag((scene) => shiftKnot(scene, ref, { step }, 1));
      },
      listen,
    );
    const end = (/** @type {boolean} */ keep) => () => {
      drag.abort();
      if (keep) {
        editing.finish();
      } else {
        editing.cancel();
      }
    };
    border.addEventListener("pointerup", end(true), listen);
    border.addEventListener("pointercancel", end(false), listen);
    border.ownerDocument.addEventListener(
      "keydown",
      (key) => {
        if (key.key === "Escape") {
          key.preventDefault();
          key.stopPropagation();
          end(false)();
        }
      },
      { ...listen, capture: true },
    );
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  function onKey(event, index) {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove(index);
    } else if (event.key === "Escape" && editing.active()) {
      event.preventDefault();
      event.stopPropagation();
      editing.cancel();
    } else if (direction && shown && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const share = event.altKey ? 0.001 : event.shiftKey ? 0.1 : 0.01;
      const by = direction * Math.max(1, Math.round(share * endOf(shown)));
      const fromEnd = partsOf(shown).length - index;
      if (!editing.active()) {
        editing.begin("keys");
      }
      editing.nudge((scene) => shiftSegment(scene, fromEnd, { by }, 1));
    }
  }

  function finishKeys() {
    if (editing.active() === "keys") {
      editing.finish();
    }
  }

  /**
   * Scrolls the row alone, never the page.
   *
   * @param {HTMLElement} cell
   */
  function reveal(cell) {
    const [row, own] = [segments.getBoundingClientRect(), cell.getBoundingClientRect()];
    if (own.left < row.left || own.right > row.right) {
      segments.scrollLeft += own.left - row.left - (row.width - own.width) / 2;
    }
  }

  return {
    element,
    update(node, selected) {
      const before = chosen;
      chosen = selected;
      shown = node;
      const parts = partsOf(node);
      const begins = starts(node);
      const end = endOf(node);
      while (segments.childElementCount > parts.length) {
        segments.lastElementChild?.remove();
      }
      for (const [i, part] of parts.entries()) {
        const cell = segments.children[i] ?? segments.appendChild(build(i));
        const button = /** @type {HTMLElement} */ (cell.firstElementChild);
        const steps = lengthOf(part);
        const length = steps ?? Math.max(1, end - begins[i]);
        const name = nameOf(part);
        const span = steps === null ? "without end" : `${formatSteps(steps)} steps`;
        const words = `segment ${i + 1} of ${parts.length}: ${name}, ${span}`;
        setAttribute(cell, "style", `flex-grow: ${length}`);
        setText(/** @type {Node} */ (button.firstChild), name);
        setAttribute(button, "aria-label", words);
        setAttribute(button, "title", `${name}, ${span}`);
        setAttribute(button, "aria-pressed", String(i === selected));
      }
      if (selected !== before) {
        reveal(/** @type {HTMLElement} */ (segments.children[selected]));
      }
    },
  };
}
