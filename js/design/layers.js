/**
 * The curve and all that is drawn with it, from back to front.
 */

import { partsOf, starts } from "../schedule/model.js";
import { setAttribute, svg } from "../shared/dom.js";
import { curvePaths, heldPath, pastPath } from "./paths.js";

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
 * @property {(index: number) => boolean} movable whether a segment can be dragged by its body
 * @property {View} view
 */

/** @param {SVGSVGElement} plot */
export function createLayers(plot) {
  const band = svg("rect", { class: "lrw-band" });
  const borders = svg("path", { class: "lrw-borders" });
  const reference = svg("path", { class: "lrw-reference" });
  const ghost = svg("path", { class: "lrw-ghost" });
  const held = svg("path", { class: "lrw-held" });
  const jumps = svg("path", { class: "lrw-jumps" });
  const curves = svg("g");
  const past = svg("path", { class: "lrw-past" });
  const now = svg("path", { class: "lrw-now" });
  const cross = svg("path", { class: "lrw-crosshair" });
  const dot = svg("circle", { class: "lrw-crosshair-dot", r: 3 });
  const bodies = svg("g");
  plot.append(band, borders, reference, ghost, held, jumps, curves, past, now, cross, dot, bodies);

  /**
   * @param {SVGGElement} group
   * @param {number} count
   */
  function paths(group, count) {
    while (group.childElementCount > count) {
      group.lastElementChild?.remove();
    }
    while (group.childElementCount < count) {
      group.append(svg("path"));
    }
    return [...group.children];
  }

  /**
   * @param {ScheduleNode | null} node
   * @param {View} view
   */
  function wholePath(node, { x, y }) {
    return node ? curvePaths(node, x, y).parts.join("") : "";
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
      const lines = paths(curves, parts.length);
      for (const [i, body] of paths(bodies, parts.length).entries()) {
        setAttribute(lines[i], "d", curve.parts[i]);
        setAttribute(lines[i], "class", i === selected ? "lrw-curve lrw-selected" : "lrw-curve");
        setAttribute(body, "d", curve.parts[i]);
        setAttribute(body, "class", drawing.movable(i) ? "lrw-body lrw-movable" : "lrw-body");
        setAttribute(body, "data-part", i);
      }
      setAttribute(jumps, "d", curve.jumps);
      setAttribute(held, "d", heldPath(node, x, y));
      setAttribute(ghost, "d", wholePath(drawing.ghost, view));
      setAttribute(reference, "d", wholePath(drawing.reference, view));
      const inner = begins.slice(1).filter((step) => step > from && step < x.high);
      const verticals = inner.map(
        (step) => `M${x.pixel(step).toFixed(1)} ${box.top}V${box.bottom}`,
      );
      setAttribute(borders, "d", verticals.join(""));
      const chosen = selected === null ? undefined : parts[selected];
      const left = x.pixel(Math.max(from, begins[selected ?? 0] ?? 0));
      const end = chosen?.steps ? begins[selected ?? 0] + chosen.steps : x.high;
      const right = x.pixel(Math.min(x.high, end));
      setAttribute(band, "x", left);
      setAttribute(band, "y", box.top);
      setAttribute(band, "width", chosen ? Math.max(0, right - left) : 0);
      setAttribute(band, "height", box.bottom - box.top);
      setAttribute(past, "d", drawing.past ? pastPath(drawing.past, x, y) : "");
      const at = locked === null ? "" : x.pixel(Math.min(locked, x.high)).toFixed(1);
      setAttribute(now, "d", locked === null ? "" : `M${at} ${box.top}V${box.bottom}`);
    },
    /**
     * @param {number | null} step null hides it
     * @param {number} value
     * @param {View} view
     */
    crosshair(step, value, { x, y, box }) {
      const at = step === null ? 0 : x.pixel(step);
      setAttribute(cross, "d", step === null ? "" : `M${at.toFixed(1)} ${box.top}V${box.bottom}`);
      setAttribute(dot, "cx", at);
      setAttribute(dot, "cy", step === null ? 0 : y.pixel(value));
      setAttribute(dot, "visibility", step === null ? "hidden" : null);
    },
  };
}
