/**
 * The curve and all that is drawn with it, from back to front.
 */

import { ENDLESS, lengthOf, nameOf, partsOf, segmentOf, starts } from "../schedule/model.js";
import { setAttribute, setText, svg } from "../shared/dom.js";
import { climb, curvePaths, heldPath, pastPath, wholePath } from "./paths.js";
import { createTrackLines } from "./track_lines.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./surface.js").View} View */

/**
 * @typedef {object} Drawing
 * @property {ScheduleNode} node
 * @property {ScheduleNode | null} ghost the curve before the edit
 * @property {ScheduleNode | null} reference
 * @property {{step: ArrayLike<number>, value: ArrayLike<number>} | null} past
 * @property {number | null} locked
 * @property {number | null} selected
 * @property {import("./track_lines.js").Track[]} tracks
 * @property {import("./track_lines.js").Line[]} lines
 * @property {import("./drags.js").Aim} aim marks to which a drag is drawn
 * @property {(index: number) => boolean} movable whether a segment can be dragged by its body
 * @property {View} view
 */

/** Pixels that a dashed line may go up and down. */
const MOST_DASHED = 6000;

/**
 * @param {number} step
 * @param {View} view
 * @returns {string} a line from the top to the foot of the plotting area
 */
function vertical(step, { x, box }) {
  return `M${x.pixel(step).toFixed(1)} ${box.top}V${box.bottom}`;
}

/**
 * @param {Element} path of a line that is dashed where it does not go up and down hundreds of times:
 *   to dash that, a browser takes more time than a frame has
 * @param {string} data
 */
function setDashed(path, data) {
  if (path.getAttribute("d") !== data) {
    setAttribute(path, "d", data);
    path.classList.toggle("lrw-solid", climb(data) > MOST_DASHED);
  }
}

/**
 * Another curve: all of it, or in a run what is to come of it.
 *
 * @param {ScheduleNode} node
 * @param {number | null} locked
 * @param {View} view
 */
function restOf(node, locked, { x, y }) {
  return locked === null
    ? wholePath(node, x, y)
    : curvePaths(node, x, y, locked).parts.join("") + heldPath(node, x, y);
}

/** @param {SVGSVGElement} plot */
export function createLayers(plot) {
  const line = (/** @type {string} */ name) => svg("path", { class: `lrw-${name}` });
  const band = svg("rect", { class: "lrw-band" });
  const borders = line("borders");
  const others = svg("g");
  const reference = line("reference");
  const ghost = line("ghost");
  const held = line("held");
  const jumps = line("jumps");
  const curves = svg("g");
  const past = line("past");
  const now = line("now");
  const brackets = line("bracket");
  const names = svg("g");
  const guide = line("guide");
  const cross = line("crosshair");
  const dot = svg("circle", { class: "lrw-crosshair-dot", r: 3 });
  const bodies = svg("g");
  const ink = line("ink");
  const frame = line("marquee");
  plot.append(
    ...[band, borders, others, reference, ghost, held, jumps, curves, past, now, brackets, names],
    ...[guide, cross, dot, bodies, ink, frame],
  );
  const drawTracks = createTrackLines(others);

  /**
   * @param {SVGGElement} group
   * @param {number} count
   * @param {"path" | "text"} tag
   */
  function elements(group, count, tag) {
    while (group.childElementCount > count) {
      group.lastElementChild?.remove();
    }
    while (group.childElementCount < count) {
      group.append(svg(tag));
    }
    return [...group.children];
  }

  /**
   * What is made of several schedules is one body, with a bracket and its name above it.
   *
   * @param {ScheduleNode} node
   * @param {View} view
   */
  function drawBrackets(node, { x, box }) {
    const spans = partsOf(node).flatMap((part, i) => {
      const begin = starts(node)[i];
      const left = Math.max(box.left, x.pixel(begin) + 2);
      const end = begin + (lengthOf(part) ?? ENDLESS);
      const right = Math.min(box.right, x.pixel(end) - 2);
      return segmentOf(part) || right <= left ? [] : { left, right, name: nameOf(part) };
    });
    const data = spans.map(
      ({ left, right }) => `M${left.toFixed(1)} ${box.top + 6}v-5H${right.toFixed(1)}v5`,
    );
    setAttribute(brackets, "d", data.join(""));
    for (const [i, text] of elements(names, spans.length, "text").entries()) {
      const { left, right, name } = spans[i];
      setAttribute(text, "class", "lrw-part-name");
      setAttribute(text, "x", ((left + right) / 2).toFixed(1));
      setAttribute(text, "y", box.top + 15);
      // About seven pixels a letter: a name that does not fit is in the handles' labels.
      setText(text, name.length * 7 < right - left ? name : "");
    }
  }

  return {
    /** @param {Drawing} drawing */
    draw(drawing) {
      const { node, locked, selected, view } = drawing;
      const { x, y, box } = view;
      const from = locked ?? 0;
      const begins = starts(node);
      const parts = partsOf(node);
      const curve = curvePaths(node, x, y, from);
      const lines = elements(curves, parts.length, "path");
      for (const [i, body] of elements(bodies, parts.length, "path").entries()) {
        setAttribute(lines[i], "d", curve.parts[i]);
        setAttribute(lines[i], "class", i === selected ? "lrw-curve lrw-selected" : "lrw-curve");
        setAttribute(body, "d", curve.parts[i]);
        setAttribute(body, "class", drawing.movable(i) ? "lrw-body lrw-movable" : "lrw-body");
        setAttribute(body, "data-part", i);
      }
      setAttribute(jumps, "d", curve.jumps);
      setAttribute(held, "d", heldPath(node, x, y));
      setDashed(ghost, drawing.ghost ? wholePath(drawing.ghost, x, y) : "");
      setDashed(reference, drawing.reference ? restOf(drawing.reference, locked, view) : "");
      drawTracks(drawing.tracks, drawing.lines, view);
      drawBrackets(node, view);
      const { aim } = drawing;
      setAttribute(
        guide,
        "d",
        (aim.step === undefined
          ? ""
          : `M${x.pixel(aim.step).toFixed(1)} ${box.top}V${box.bottom}`) +
          (aim.value === undefined
            ? ""
            : `M${box.left} ${y.pixel(aim.value).toFixed(1)}H${box.right}`),
      );
      const inner = begins.slice(1).filter((step) => step > from && step > x.low && step < x.high);
      setAttribute(borders, "d", inner.map((step) => vertical(step, view)).join(""));
      const chosen = selected === null ? undefined : parts[selected];
      const begin = begins[selected ?? 0] ?? 0;
      const left = x.pixel(Math.max(from, x.low, begin));
      const length = (chosen && lengthOf(chosen)) ?? ENDLESS;
      const right = x.pixel(Math.min(x.high, begin + length));
      setAttribute(band, "x", left);
      setAttribute(band, "y", box.top);
      setAttribute(band, "width", chosen ? Math.max(0, right - left) : 0);
      setAttribute(band, "height", box.bottom - box.top);
      setAttribute(past, "d", drawing.past ? pastPath(drawing.past, x, y) : "");
      setAttribute(now, "d", locked === null ? "" : vertical(Math.min(locked, x.high), view));
    },
    /**
     * What the pencil has drawn.
     *
     * @param {{step: number, value: number}[]} points
     * @param {View} view
     */
    ink(points, { x, y }) {
      const data = points.map(
        ({ step, value }) => `${x.pixel(step).toFixed(1)} ${y.pixel(value).toFixed(1)}`,
      );
      // A single point is a line without length: its round ends make it a dot.
      setAttribute(ink, "d", data.length ? `M${data[0]}L${data.join("L")}` : "");
    },
    /**
     * The frame that chooses handles; none where its corners meet.
     *
     * @param {{x: number, y: number}} from
     * @param {{x: number, y: number}} to
     */
    frame(from, to) {
      const open = from.x !== to.x || from.y !== to.y;
      setAttribute(frame, "d", open ? `M${from.x} ${from.y}H${to.x}V${to.y}H${from.x}Z` : "");
    },
    /**
     * @param {number | null} step null hides it
     * @param {number} value
     * @param {View} view
     */
    crosshair(step, value, view) {
      setAttribute(cross, "d", step === null ? "" : vertical(step, view));
      setAttribute(dot, "cx", view.x.pixel(step ?? 0));
      setAttribute(dot, "cy", view.y.pixel(value));
      setAttribute(dot, "visibility", step === null ? "hidden" : null);
    },
  };
}
