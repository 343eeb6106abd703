/**
 * A schedule as a curve that can be held: the canvas of the Design panel, and of the Train panel
 * for what is left of a run.
 */

import {
  evaluate,
  knots,
  MAX_STEPS,
  partAt,
  partsOf,
  peak,
  refused,
  same,
  segmentRoom,
  steps,
} from "../schedule/model.js";
import { uniqueId } from "../shared/controls.js";
import { h, setAttribute, setText, svg } from "../shared/dom.js";
import { formatRate, formatSteps } from "../shared/format.js";
import { drawAxes } from "./axes.js";
import { createEditing } from "./editing.js";
import { endOf } from "./extent.js";
import { fieldOf, handleStates, keyOf, readoutText } from "./handle_states.js";
import { createHandles } from "./handles.js";
import { KEYS_HELP, listenToKeys } from "./keys.js";
import { createLayers } from "./layers.js";
import { addKnot, dropKnot, isLevel, refOf } from "./moves.js";
import { extremes, heightsOf, nearest } from "./paths.js";
import { listenToPointer } from "./pointer.js";
import { createViewport } from "./viewport.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Catalogue} Catalogue */
/** @typedef {import("./axes.js").XUnit} XUnit */
/** @typedef {import("./handles.js").HandleState} HandleState */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {import("./surface.js").View} View */

/**
 * Options given as functions are asked at each drawing.
 *
 * @typedef {object} CanvasOptions
 * @property {Catalogue} catalogue
 * @property {() => ScheduleNode} getNode What counts. `update` takes it over when it has changed
 *   since it was last asked, so that an edit stays on show until its answer has come.
 * @property {(node: ScheduleNode) => void} [onPreview] During an edit, once a frame at most.
 * @property {(node: ScheduleNode) => void} onCommit Once at the end of an edit.
 * @property {() => number | null} [lockedBefore] The present step of a run: what stands at it or
 *   before it is past, has no handles, and no edit reaches it.
 * @property {() => {step: ArrayLike<number>, value: ArrayLike<number>} | null} [past] What really
 *   was, drawn instead of the curve up to the present step.
 * @property {() => ScheduleNode | null} [ghost] Another curve, drawn faintly behind.
 * @property {() => XUnit} [xUnit] Default: steps.
 * @property {() => "log" | "linear"} [yScale] Default: linear.
 * @property {() => number | null} [total] Where the x axis ends. Default: with the schedule.
 * @property {() => number | null} [stepsPerEpoch]
 * @property {string} label The name of what is scheduled: "learning rate".
 * @property {AbortSignal} signal
 * @property {{left: number, right: number}} [gutter] Pixels beside the plotting area.
 * @property {string} [hook] `data-lrw`
 * @property {(index: number) => void} [onSelect] A segment was clicked, or a handle of it focused.
 * @property {(index: number, parameter: string | null) => void} [onOpenField] Enter on a handle,
 *   or a double click: the segment and the parameter it stands for.
 * @property {(rule: string | null) => void} [onRefused] Why an edit goes no further, or null.
 * @property {(text: string) => void} [announce]
 */

/**
 * @typedef {object} ScheduleCanvas
 * @property {HTMLElement} element
 * @property {() => void} update Draws again, with whatever the options give now.
 * @property {(node: ScheduleNode) => void} setNode Shows a node as the one that counts, unless an
 *   edit is going on.
 * @property {(index: number) => void} focusHandle
 * @property {(index: number | null) => void} select Emphasises a segment.
 * @property {(node: ScheduleNode | null) => void} setGhost Until the next edit.
 * @property {import("./editing.js").Editing} editing For edits that begin elsewhere.
 * @property {() => number} stepsPerPixel
 */

const GUTTER = { left: 56, right: 16 };

/**
 * @param {CanvasOptions} options
 * @returns {ScheduleCanvas}
 */
export function createScheduleCanvas(options) {
  const { catalogue, label, signal, gutter = GUTTER } = options;
  const helpId = uniqueId();
  const axes = svg("g", { "aria-hidden": "true" });
  const plot = svg("svg", { class: "lrw-curve-area", "aria-hidden": "true" });
  const layer = svg("g");
  const element = svg(
    "svg",
    { class: "lrw-canvas-plot", role: "group", dataset: { lrw: options.hook } },
    axes,
    plot,
    layer,
  );
  const readout = h("span", { class: "lrw-readout", "aria-hidden": "true" });
  const root = h(
    "div",
    { class: "lrw-canvas" },
    element,
    readout,
    h("span", { class: "lrw-hidden", id: helpId }, KEYS_HELP),
  );
  const viewport = createViewport(gutter);
  const handles = createHandles(layer, helpId);
  const layers = createLayers(plot);

  let read = options.getNode();
  let node = read;
  /** @type {ScheduleNode | null} the state during an edit */
  let preview = null;
  /** @type {ScheduleNode | null} */
  let ghost = null;
  /** @type {number | null} */
  let selected = null;
  /** @type {import("./surface.js").Point | null} */
  let pointer = null;
  /** @type {View | null} */
  let view = null;
  let axesDrawn = "";

  const shown = () => preview ?? node;
  const locked = () => options.lockedBefore?.() ?? null;

  /**
   * @param {ScheduleNode} from
   * @returns {Scene}
   */
  function scene(from) {
    return {
      catalogue,
      node: from,
      locked: locked(),
      furthest: options.total?.() ?? MAX_STEPS,
    };
  }

  const editing = createEditing({
    getNode: () => node,
    scene,
    show(next) {
      preview = next === editing.base() || !editing.base() ? null : next;
      options.onPreview?.(shown());
      draw();
    },
    commit(next) {
      preview = null;
      ghost = null;
      node = next;
      draw();
      options.onCommit(next);
    },
    onRefused: (rule) => options.onRefused?.(rule),
    signal,
  });

  /**
   * A whole edit at once.
   *
   * @param {import("./editing.js").Move} move
   * @returns {boolean} whether it was done
   */
  function apply(move) {
    const result = move(scene(node));
    if (refused(result)) {
      options.onRefused?.(result.error);
      return false;
    }
    editing.begin("keys");
    editing.nudge(() => result);
    editing.finish();
    return true;
  }

  const surface = {
    element,
    root,
    handles,
    editing,
    scene: () => scene(shown()),
    view: () => view,
    select: (/** @type {number} */ index) => options.onSelect?.(index),
    /** @param {HandleState} handle */
    openField(handle) {
      const { index, parameter } = fieldOf(scene(shown()), handle, selected);
      options.onOpenField?.(index, parameter);
    },
    /** @param {number} step */
    insert(step) {
      if (apply((current) => addKnot(current, step))) {
        const fromEnd = partsOf(node).length - partAt(node, step);
        handles.focus(keyOf({ fromEnd, side: "both" }));
        options.announce?.(`knot added at step ${formatSteps(step)}`);
      }
    },
    /** @param {import("./moves.js").KnotRef} ref */
    remove(ref) {
      if (apply((current) => dropKnot(current, ref))) {
        options.announce?.("knot removed");
      }
    },
    /** @param {import("./surface.js").Point | null} at */
    hover(at) {
      pointer = at;
      drawCrosshair();
    },
    announce: (/** @type {string} */ text) => options.announce?.(text),
    signal,
  };
  listenToPointer(surface);
  listenToKeys(surface);
  root.addEventListener(
    "focusin",
    (event) => {
      const handle = handles.at(event.target);
      if (handle) {
        options.onSelect?.(fieldOf(scene(shown()), handle, selected).index);
        drawCrosshair();
      }
    },
    { signal },
  );
  root.addEventListener("focusout", () => drawCrosshair(), { signal });

  const observer = new ResizeObserver(() => {
    const box = element.getBoundingClientRect();
    if (viewport.resize(box.width, box.height)) {
      setAttribute(element, "viewBox", `0 0 ${box.width} ${box.height}`);
      draw();
    }
  });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });

  function draw() {
    const current = shown();
    const past = options.past?.() ?? null;
    const reference = options.ghost?.() ?? null;
    const curves = [current, ghost, reference].filter((each) => each !== null);
    view = viewport.layOut({
      values: [...curves.flatMap(heightsOf), ...extremes(past?.value ?? [])],
      end: Math.max(options.total?.() ?? endOf(current), 1),
      log: options.yScale?.() === "log",
      moving: editing.active() !== null,
    });
    if (!view) {
      return;
    }
    const now = locked();
    const stepsPerEpoch = options.stepsPerEpoch?.() ?? null;
    setAttribute(element, "aria-label", describe(current));
    drawScales(view, { unit: options.xUnit?.() ?? "steps", stepsPerEpoch, total: endOf(current) });
    layers.draw({
      node: current,
      ghost: preview ? editing.base() : ghost,
      reference,
      past,
      locked: now,
      selected,
      movable(index) {
        const { low, high } = segmentRoom(current, index, false, now);
        return low < high || isLevel(current, index);
      },
      view,
    });
    handles.update(handleStates(scene(current), view, label, stepsPerEpoch));
    drawCrosshair();
  }

  /**
   * @param {View} shownView
   * @param {{unit: XUnit, stepsPerEpoch: number | null, total: number}} units
   */
  function drawScales({ x, y, box }, units) {
    const key = JSON.stringify([x, y, box, units]);
    if (key === axesDrawn) {
      return;
    }
    axesDrawn = key;
    drawAxes(axes, x, y, units, box);
    // Two pixels of room for a line that runs along an edge.
    const [left, width, height] = [box.left - 2, box.right - box.left + 4, box.bottom + 2];
    for (const [name, value] of Object.entries({
      x: left,
      width,
      height,
      viewBox: `${left} 0 ${width} ${height}`,
    })) {
      setAttribute(plot, name, value);
    }
  }

  function drawCrosshair() {
    if (!view) {
      return;
    }
    const { x, box } = view;
    const held = editing.active() || !pointer ? handles.focused() : null;
    const inside = pointer !== null && pointer.x >= box.left && pointer.x <= box.right;
    if (held || !inside) {
      layers.crosshair(null, 0, view);
      setText(readout, held?.readout ?? "");
      return;
    }
    const step = Math.max(0, Math.round(x.value(/** @type {{x: number}} */ (pointer).x)));
    const value = shownValue(step);
    layers.crosshair(step, value, view);
    setText(readout, readoutText(step, value, options.stepsPerEpoch?.() ?? null));
  }

  /**
   * @param {number} step
   * @returns {number} what was, or what the curve says
   */
  function shownValue(step) {
    const past = step <= (locked() ?? -1) ? (options.past?.() ?? null) : null;
    return past && past.step.length > 0 ? nearest(past, step) : evaluate(shown(), step);
  }

  /** @param {ScheduleNode} current */
  function describe(current) {
    const length = steps(current);
    const parts = partsOf(current).length;
    return (
      `${label} ${length === null ? "without end" : `over ${formatSteps(length)} steps`}, ` +
      `${parts} ${parts === 1 ? "segment" : "segments"}, peak ${formatRate(peak(current))}`
    );
  }

  return {
    element: root,
    editing,
    update() {
      const next = options.getNode();
      if (!same(next, read)) {
        read = next;
        node = next;
      }
      draw();
    },
    setNode(next) {
      read = options.getNode();
      node = next;
      draw();
    },
    setGhost(next) {
      ghost = next;
      draw();
    },
    select(index) {
      selected = index;
      draw();
    },
    focusHandle(index) {
      const knot = knots(catalogue, node, locked())[index];
      if (knot) {
        handles.focus(keyOf(refOf(node, knot)));
      }
    },
    stepsPerPixel: () => (view ? view.x.value(1) - view.x.value(0) : 1),
  };
}
