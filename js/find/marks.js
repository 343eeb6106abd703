/**
 * What is painted over the range test's curve: the rules' rates and the place where it diverged.
 */

import { formatRate } from "../shared/format.js";
import { nearest } from "../shared/series.js";

/** @typedef {import("../shared/plot.js").Painter} Painter */

/**
 * How a rule is told from the others: colour, dash and the shape of its marker.
 *
 * @typedef {object} RuleStyle
 * @property {string} color token
 * @property {number[]} dash
 * @property {string} path SVG path data of the marker, about the origin, 5 px in radius
 */

/** @type {RuleStyle[]} */
const STYLES = [
  { color: "series-2", dash: [], path: "M5 0A5 5 0 1 1-5 0A5 5 0 1 1 5 0Z" },
  { color: "series-3", dash: [6, 3], path: "M-4.5-4.5H4.5V4.5H-4.5Z" },
  { color: "series-4", dash: [2, 3], path: "M0-6L6 0L0 6L-6 0Z" },
  { color: "series-5", dash: [8, 3, 2, 3], path: "M0-6L5.5 4.5H-5.5Z" },
];

/**
 * @param {number} index The rule's place in the catalogue.
 * @returns {RuleStyle}
 */
export function ruleStyle(index) {
  return STYLES[index % STYLES.length];
}

/** @typedef {{title: string, rate: number, style: RuleStyle}} Mark */

const ROW = 16;

/**
 * Lay labels of some widths into rows so that none covers another.
 *
 * @param {{at: number, width: number}[]} labels
 * @param {number} left
 * @param {number} right
 * @returns {{start: number, row: number}[]} in the order given
 */
export function placeLabels(labels, left, right) {
  /** @type {number[]} */
  const rowEnds = [];
  const order = labels.map((_, index) => index).sort((a, b) => labels[a].at - labels[b].at);
  /** @type {{start: number, row: number}[]} */
  const placed = new Array(labels.length);
  for (const index of order) {
    const { at, width } = labels[index];
    // Beside its line, on the other side where the plot ends.
    const start = at + 6 + width > right ? Math.max(left, at - 6 - width) : at + 6;
    let row = 0;
    while (rowEnds[row] !== undefined && rowEnds[row] > start - 8) {
      row += 1;
    }
    rowEnds[row] = start + width;
    placed[index] = { start, row };
  }
  return placed;
}

/**
 * @param {Painter} painter
 * @param {Mark[]} marks
 * @param {ArrayLike<number>} rates
 * @param {ArrayLike<number>} smoothed
 * @param {number | null} divergedAt
 */
export function paintMarks(painter, marks, rates, smoothed, divergedAt) {
  const { context, box, color } = painter;
  const bottom = box.top + box.height;
  const right = box.left + box.width;
  context.font = painter.font(12);
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineWidth = 1.5;

  if (divergedAt !== null) {
    const x = painter.x(divergedAt);
    context.fillStyle = color("error");
    context.globalAlpha = 0.12;
    context.fillRect(x, box.top, Math.max(0, right - x), box.height);
    context.globalAlpha = 1;
    context.strokeStyle = color("error");
    context.setLineDash([]);
    line(context, x, box.top, x, bottom);
    const text = "✕ diverged";
    const width = context.measureText(text).width;
    const start = x + 6 + width > right ? x - 6 - width : x + 6;
    label(painter, text, start, box.top + 0.6 * box.height, width, color("error"));
  }

  const shown = marks.map((mark) => {
    const text = `${mark.title}: ${formatRate(mark.rate)}`;
    return { mark, text, at: painter.x(mark.rate), width: context.measureText(text).width };
  });
  const places = placeLabels(shown, box.left, right);
  for (const [index, { mark, at }] of shown.entries()) {
    context.strokeStyle = color(mark.style.color);
    context.setLineDash(mark.style.dash);
    line(context, at, box.top + places[index].row * ROW, at, bottom + 4);
  }
  context.setLineDash([]);
  for (const [index, { mark, text, at, width }] of shown.entries()) {
    const { start, row } = places[index];
    label(painter, text, start, box.top + row * ROW + ROW / 2, width, color("fg"));
    const point = nearest(rates, mark.rate);
    const y = point >= 0 ? painter.y(smoothed[point]) : Number.NaN;
    if (Number.isFinite(y)) {
      marker(painter, mark.style, at, Math.max(box.top, Math.min(bottom, y)));
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/**
 * @param {Painter} painter
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {string} ink
 */
function label({ context, color }, text, x, y, width, ink) {
  context.fillStyle = color("bg");
  context.globalAlpha = 0.8;
  context.fillRect(x - 3, y - 8, width + 6, ROW);
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.fillText(text, x, y);
}

/**
 * @param {Painter} painter
 * @param {RuleStyle} style
 * @param {number} x
 * @param {number} y
 */
function marker({ context, color }, style, x, y) {
  context.save();
  context.translate(x, y);
  const path = new Path2D(style.path);
  context.fillStyle = color(style.color);
  context.strokeStyle = color("bg");
  context.fill(path);
  context.stroke(path);
  context.restore();
}
