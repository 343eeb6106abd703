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
import { h, listen, setAttribute, setText, svg, UNSEEN } from "../shared/dom.js";
import { formatRate, formatSteps } from "../shared/format.js";
import { onAbort } from "../shared/listeners.js";
import { drawAxes } from "./axes.js";
import { createEditing } from "./editing.js";
import { endOf } from "./extent.js";
import { fieldOf, handleStates, keyOf, readoutText } from "./handle_states.js";
import { createHandles } from "./handles.js";
import { CANVAS_HELP, KEYS_HELP, listenToKeys } from "./keys.js";
import { createLayers } from "./layers.js";
import { addKnot, dropKnots, isLevel, knotOf, refOf } from "./moves.js";
import { extremes, heightsOf, nearest } from "./paths.js";
import { createPencil } from "./pencil.js";
import { listenToPointer } from "./pointer.js";
import { createSelection } from "./selection.js";
import { createViewport } from "./viewport.js";
import { listenToWheel } from "./zooming.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Catalogue} Catalogue */
/** @typedef {import("./axes.js").XUnit} XUnit */
/** @typedef {import("./handles.js").HandleState} HandleState */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {import("./surface.js").View} View */

/** @typedef {import("./canvas_options.js").CanvasOptions} CanvasOptions */
/** @typedef {import("./canvas_options.js").ScheduleCanvas} ScheduleCanvas */

const GUTTER = { left: 56, right: 16 };

/**
 * @param {CanvasOptions} options
 * @returns {ScheduleCanvas}
 */
export function createScheduleCanvas(options) {
  const { catalogue, signal, gutter = GUTTER } = options;
  const helpId = uniqueId();
  const ownHelpId = uniqueId();
  const zoomable = options.total === undefined;
  const axes = svg("g", { ...UNSEEN });
  const plot = svg("svg", { class: "lrw-curve-area", ...UNSEEN });
  const layer = svg("g");
  const element = svg(
    "svg",
    {
      class: "lrw-canvas-plot",
      role: "group",
      // Without a zoom of its own it has no keys of its own.
      ...(zoomable && { tabindex: 0, "aria-describedby": ownHelpId }),
      hook: options.hook,
    },
    axes,
    plot,
    layer,
  );
  const readout = h("span", { class: "lrw-readout", ...UNSEEN });
  const root = h(
    "div",
    { class: "lrw-canvas" },
    element,
    readout,
    h("span", { class: "lrw-hidden", id: helpId }, KEYS_HELP),
    h("span", { class: "lrw-hidden", id: ownHelpId }, CANVAS_HELP),
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
  /** @type {import("./drags.js").Aim} */
  let aim = {};
  let named = options.label;

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
      if (editing.active() === "keys") {
        follow();
      }
      draw();
    },
    commit(next) {
      preview = null;
      ghost = null;
      node = next;
      follow();
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
    // Not as an edit by keys, which would end in the midst of drawing, with the focus of a handle
    // that goes.
    editing.begin("pointer");
    editing.nudge(() => result);
    editing.finish();
    return true;
  }

  const selection = createSelection(
    () => scene(shown()),
    () => draw(),
  );

  /** @type {import("./pencil.js").Paper} */
  const base = {
    element,
    root,
    handles,
    editing,
    selection,
    zoomable,
    ownsSpace: !options.lockedBefore,
    stepsPerEpoch,
    signal,
    apply,
    look,
    scene: () => scene(shown()),
    view: () => view,
    select: (index) => options.onSelect?.(index),
    openField(handle) {
      const { index, parameter } = fieldOf(scene(shown()), handle, selected);
      options.onOpenField?.(index, parameter);
    },
    insert(step) {
      if (apply((current) => addKnot(current, step))) {
        const fromEnd = partsOf(node).length - partAt(node, step);
        selection.keepIf(null);
        handles.focus(keyOf({ fromEnd, side: "both" }));
        options.announce?.(`knot added at step ${formatSteps(step)}`);
      }
    },
    remove(refs) {
      if (apply((current) => dropKnots(current, refs))) {
        selection.keepIf(null);
        options.announce?.(refs.length > 1 ? `${refs.length} knots removed` : "knot removed");
      }
    },
    hover(at) {
      pointer = at;
      drawOver();
    },
    aim(next) {
      aim = next;
    },
    frame: layers.frame,
    redraw: drawOver,
    leaveTool: () => options.onTool?.("select"),
    announce: (text) => options.announce?.(text),
  };
  const pencil = createPencil(base, () => options.tool?.() === "pencil");
  const surface = { ...base, pencil };
  listenToPointer(surface);
  listenToKeys(surface);
  if (zoomable) {
    listenToWheel(surface);
  }
  listen(
    root,
    {
      focusin({ target }) {
        const handle = handles.at(target);
        if (handle) {
          options.onSelect?.(fieldOf(scene(shown()), handle, selected).index);
          drawOver();
        }
      },
      focusout: drawOver,
    },
    signal,
  );

  const observer = new ResizeObserver(() => {
    const box = element.getBoundingClientRect();
    if (viewport.resize(box.width, box.height)) {
      setAttribute(element, "viewBox", `0 0 ${box.width} ${box.height}`);
      draw();
    }
  });
  observer.observe(element);
  onAbort(signal, () => observer.disconnect());

  function stepsPerEpoch() {
    return options.stepsPerEpoch?.() ?? null;
  }

  /** @param {[number, number] | null} stretch */
  function look(stretch) {
    viewport.look(stretch);
    draw();
    options.onZoom?.();
  }

  /** A knot that the keyboard moves out of what is seen takes the view along. */
  function follow() {
    const { target } = handles.focused() ?? {};
    const stretch = viewport.stretch();
    const step = target?.kind === "knot" ? knotOf(scene(shown()), target.ref)?.step : undefined;
    if (stretch && step !== undefined) {
      const by = step - Math.max(stretch[0], Math.min(stretch[1], step));
      viewport.look([stretch[0] + by, stretch[1] + by]);
    }
  }

  function draw() {
    const current = shown();
    const past = options.past?.() ?? null;
    const lines = options.lines?.() ?? [];
    const reference = options.ghost?.() ?? null;
    const curves = [current, ghost, reference].filter((each) => each !== null);
    view = viewport.layOut({
      values: (stretch) => [
        ...curves.flatMap((curve) => heightsOf(curve, stretch)),
        ...[past, ...lines.filter(({ free }) => !free)].flatMap((line) =>
          extremes(line?.value ?? []),
        ),
      ],
      end: Math.max(options.total?.() ?? endOf(current), 1),
      log: options.yScale?.() === "log",
      moving: editing.active() !== null,
    });
    if (!view) {
      return;
    }
    const now = locked();
    setAttribute(element, "aria-label", describe(current));
    element.classList.toggle("lrw-pencil", pencil.active());
    drawScales(view, {
      unit: options.xUnit?.() ?? "steps",
      stepsPerEpoch: stepsPerEpoch(),
      total: endOf(current),
    });
    layers.draw({
      node: current,
      ghost: preview ? editing.base() : ghost,
      reference,
      past,
      lines,
      locked: now,
      selected,
      movable(index) {
        const { low, high } = segmentRoom(current, index, false, now);
        return low < high || isLevel(current, index);
      },
      tracks: options.tracks?.() ?? [],
      aim,
      view,
    });
    const focused = handles.focused()?.key;
    handles.update(
      handleStates(scene(current), view, options.label, stepsPerEpoch(), selection.has, focused),
    );
    drawOver();
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

  function drawOver() {
    if (!view) {
      return;
    }
    layers.ink(pencil.ink(), view);
    const { x, box } = view;
    const pen = pencil.pen();
    const held = editing.active() || !pointer ? handles.focused() : null;
    const inside = pointer !== null && pointer.x >= box.left && pointer.x <= box.right;
    if (!pen && (held || !inside)) {
      layers.crosshair(null, 0, view);
      setText(readout, held?.readout ?? "");
      return;
    }
    const step =
      pen?.step ?? Math.max(0, Math.round(x.value(/** @type {{x: number}} */ (pointer).x)));
    const value = pen?.value ?? shownValue(step);
    layers.crosshair(step, value, view);
    setText(readout, readoutText(step, value, stepsPerEpoch()));
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
      `${options.label} ${length === null ? "without end" : `over ${formatSteps(length)} steps`}, ` +
      `${parts} ${parts === 1 ? "segment" : "segments"}, peak ${formatRate(peak(current))}`
    );
  }

  /** @param {ScheduleNode} next */
  function replace(next) {
    const other = partsOf(next).length !== partsOf(node).length || named !== options.label;
    node = next;
    named = options.label;
    if (other) {
      // Keys count from the end: they now stand for other knots.
      selection.keepIf(null);
    }
  }

  return {
    element: root,
    editing,
    update() {
      const next = options.getNode();
      if (!same(next, read)) {
        read = next;
        replace(next);
      }
      draw();
    },
    setNode(next) {
      read = options.getNode();
      replace(next);
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
    stepsPerPixel: () => (view ? view.end / (view.box.right - view.box.left) : 1),
    fit: () => look(null),
    zoomed: () => viewport.stretch() !== null,
    selection: selection.indices,
  };
}
