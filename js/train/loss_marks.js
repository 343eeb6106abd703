/**
 * What stands beside and over the curves of the metric: their keys, names and newest points.
 */

import { spread } from "../design/track_lines.js";
import { h, setText } from "../shared/dom.js";
import { formatLoss } from "../shared/format.js";
import { drawLine } from "../shared/plot.js";
import { lookOf } from "./branches.js";

/** @typedef {import("../shared/plot.js").Painter} Painter */
/** @typedef {import("./branches.js").BranchLine} BranchLine */

/**
 * A curve's name, how it looks, and its newest value.
 *
 * @param {string} kind
 * @param {string} label
 */
export function createKey(kind, label) {
  const value = h("span", { class: "lrw-key-value" });
  const element = h("span", { class: `lrw-key ${kind}` }, label, value);
  return {
    element,
    value,
    /**
     * @param {string} text
     * @param {boolean} present
     */
    show(text, present) {
      element.hidden = !present;
      setText(value, text);
    },
  };
}

/**
 * @param {string} name
 * @param {number} step
 * @param {number | null} now
 * @param {number | null} valid
 * @param {Float64Array} smoothed
 * @returns {string}
 */
export function describe(name, step, now, valid, smoothed) {
  if (now === null) {
    return "no steps yet";
  }
  const earlier = smoothed[Math.floor(smoothed.length * 0.75)];
  const change = now - earlier;
  const trend =
    Math.abs(change) < 0.01 * Math.abs(earlier) ? "steady" : change < 0 ? "falling" : "rising";
  const validation = valid === null ? "" : `, validation ${formatLoss(valid)}`;
  return `${name} ${formatLoss(now)} at step ${step}, ${trend}${validation}`;
}

/**
 * A dot where the run is.
 *
 * @param {Painter} painter
 * @param {number} step
 * @param {number} value
 */
export function paintHead({ context, color, x, y, box }, step, value) {
  const top = y(value);
  if (top < box.top || top > box.top + box.height) {
    return;
  }
  context.fillStyle = color("series-1");
  context.strokeStyle = color("bg");
  context.lineWidth = 1.5;
  context.setLineDash([]);
  context.beginPath();
  context.arc(x(step), top, 4, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}

/**
 * Text on a plate that keeps it readable over the curves.
 *
 * @param {Painter} painter
 * @param {string} text
 * @param {number} left where it begins, as long as there is room for it
 * @param {number} middle
 * @param {string} ink a token
 */
function paintText({ context, color, box, font }, text, left, middle, ink) {
  context.font = font(11);
  context.textAlign = "left";
  context.textBaseline = "middle";
  const width = context.measureText(text).width;
  const from = Math.max(box.left + 2, Math.min(left, box.left + box.width - width - 2));
  context.globalAlpha = 0.8;
  context.fillStyle = color("bg");
  context.fillRect(from - 2, middle - 7, width + 4, 14);
  context.globalAlpha = 1;
  context.fillStyle = color(ink);
  context.fillText(text, from, middle);
}

/**
 * The name of the run before at its last point.
 *
 * @param {Painter} painter
 * @param {number} step
 * @param {number} value
 */
export function paintGhostName(painter, step, value) {
  const top = painter.y(value);
  const { box } = painter;
  if (top >= box.top && top <= box.top + box.height) {
    paintText(
      painter,
      "run before",
      painter.x(step) - 60,
      Math.max(box.top + 8, top - 13),
      "muted",
    );
  }
}

/** Names beyond this many would cover the curves. */
const MOST_NAMES = 6;

/**
 * The lines beside the run. While a fan is open it is what is compared: the others stand back.
 *
 * @param {Painter} painter
 * @param {BranchLine[]} lines
 * @param {string | null} best The id of the fan's best.
 */
export function paintBranches(painter, lines, best) {
  const { context } = painter;
  const fans = lines.some(({ kind }) => kind === "fan");
  for (const { id, kind, slot, x, y } of lines) {
    const { color, dash } = lookOf(slot);
    context.globalAlpha = kind === "abandoned" ? 0.55 : fans && kind === "fork" ? 0.35 : 1;
    drawLine(painter, x, y, { color, dash, width: id === best ? 2.5 : 1.5 });
    if (kind === "abandoned") {
      paintCut(painter, x[x.length - 1], y[lastIndex(y)]);
    }
  }
  context.globalAlpha = 1;
}

/**
 * A cross where a rewind cut a line off.
 *
 * @param {Painter} painter
 * @param {number} step
 * @param {number} value
 */
function paintCut({ context, box, color, x, y }, step, value) {
  const [at, top] = [x(step), Math.max(box.top + 4, y(value))];
  context.strokeStyle = color("muted");
  context.beginPath();
  for (const side of [-3, 3]) {
    context.moveTo(at - 3, top - side);
    context.lineTo(at + 3, top + side);
  }
  context.stroke();
}

/**
 * The names of the lines at their ends.
 *
 * @param {Painter} painter
 * @param {BranchLine[]} lines
 */
export function paintNames(painter, lines) {
  const { context, box, color, x: toX, y: toY } = painter;
  const bottom = box.top + box.height;
  const fans = lines.filter(({ kind }) => kind === "fan");
  const named = (fans.length > 0 ? fans : lines.filter(({ kind }) => kind === "fork"))
    .slice(-MOST_NAMES)
    .map((line) => {
      const end = lastIndex(line.y);
      return { ...line, right: toX(line.x[end]), top: toY(line.y[end]) };
    })
    .filter(({ top }) => top >= box.top && top <= bottom);
  context.setLineDash([]);
  const heights = spread(
    named.map(({ top }) => top),
    box.top + 6,
    bottom - 6,
  );
  for (const [i, { name, slot, right, top }] of named.entries()) {
    context.fillStyle = color(lookOf(slot).color);
    context.beginPath();
    context.arc(right, top, 3, 0, 2 * Math.PI);
    context.fill();
    paintText(painter, name, right + 7, heights[i], "fg");
  }
}

/** @param {ArrayLike<number>} values */
function lastIndex(values) {
  let i = values.length - 1;
  while (i > 0 && !Number.isFinite(values[i])) {
    i -= 1;
  }
  return i;
}
