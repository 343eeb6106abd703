/**
 * What is painted over the range test's curve: the rules' rates, the advice and the place where it
 * diverged.
 */

import { formatRate } from "../shared/format.js";

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
  { color: "series-7", dash: [4, 2], path: "M0 6L5.5-4.5H-5.5Z" },
  { color: "series-6", dash: [1, 2], path: "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z" },
  { color: "series-8", dash: [3, 1], path: "M-6-2.5H6V2.5H-6Z" },
  { color: "series-2", dash: [5, 2, 1, 2, 1, 2], path: "M-5-6H5L1 0 5 6H-5L-1 0Z" },
];

/**
 * @param {number} index The rule's place in the catalogue.
 * @returns {RuleStyle}
 */
export function ruleStyle(index) {
  return STYLES[index % STYLES.length];
}

/**
 * @typedef {object} Mark
 * @property {string} title
 * @property {number} rate
 * @property {RuleStyle} style
 */

const ROW = 16;

/** The room above the axis in which the rules' ticks and their labels stand. */
export const FLOOR = 3 * ROW + 4;

/** Pixels within which markers cover each other, and what one takes before a label. */
const COVERED = 10;
const MARKER = 14;

/** Pixels between a tick and its label, and between two labels. */
const GAP = 8;

/**
 * Lay labels of some widths into rows so that none covers another: beside their ticks, those of
 * the left half on the left side, as long as there is room.
 *
 * @param {{at: number, width: number}[]} labels
 * @param {number} left
 * @param {number} right
 * @returns {{start: number, row: number}[]} in the order given
 */
export function placeLabels(labels, left, right) {
  /** @type {[number, number][][]} */
  const rows = [];
  /** @type {{start: number, row: number}[]} */
  const placed = new Array(labels.length);
  const rising = labels.map((_, index) => index).sort((a, b) => labels[a].at - labels[b].at);
  const half = rising.length >> 1;

  /**
   * @param {number} index
   * @param {boolean} leftFirst
   */
  function place(index, leftFirst) {
    const { at, width } = labels[index];
    const sides = [at + GAP, at - GAP - width].filter(
      (start) => start >= left && start + width <= right,
    );
    const starts = leftFirst ? sides.toReversed() : sides;
    if (starts.length === 0) {
      starts.push(Math.max(left, Math.min(at + GAP, right - width)));
    }
    for (let row = 0; ; row += 1) {
      rows[row] ??= [];
      for (const start of starts) {
        const end = start + width;
        if (rows[row].every(([from, to]) => end + GAP <= from || start - GAP >= to)) {
          rows[row].push([start, end]);
          placed[index] = { start, row };
          return;
        }
      }
    }
  }

  for (const index of rising.slice(0, half).reverse()) {
    place(index, true);
  }
  for (const index of rising.slice(half)) {
    place(index, false);
  }
  return placed;
}

/**
 * The band between the lowest and the highest of the seeds.
 *
 * @param {Painter} painter
 * @param {ArrayLike<number>} rates
 * @param {ArrayLike<number>} low as long as `rates`, or empty
 * @param {ArrayLike<number>} high
 */
export function paintSeeds({ context, box, color, x, y }, rates, low, high) {
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  context.globalAlpha = 0.2;
  context.fillStyle = color("series-1");
  context.beginPath();
  const point = (/** @type {number} */ rate, /** @type {number} */ value) => {
    if (Number.isFinite(value)) {
      context.lineTo(x(rate), Math.min(1e6, Math.max(-1e6, y(value))));
    }
  };
  for (let i = 0; i < low.length; i += 1) {
    point(rates[i], low[i]);
  }
  for (let i = high.length - 1; i >= 0; i -= 1) {
    point(rates[i], high[i]);
  }
  context.fill();
  context.restore();
}

/**
 * The advice: a band from its lowest to its highest rate, and a line at the rate itself.
 *
 * @param {Painter} painter
 * @param {{learning_rate: number | null, low: number | null, high: number | null} | null} advice
 */
export function paintAdvice({ context, box, color, x }, advice) {
  if (!advice || advice.learning_rate === null) {
    return;
  }
  const { learning_rate: rate, low, high } = advice;
  const inside = (/** @type {number} */ at) =>
    Math.max(box.left, Math.min(box.left + box.width, x(at)));
  const [from, to] = [inside(low ?? rate), inside(high ?? rate)];
  const bottom = box.top + box.height;
  context.globalAlpha = 0.14;
  context.fillStyle = color("accent-text");
  context.fillRect(from, box.top, to - from, box.height);
  context.globalAlpha = 0.6;
  context.strokeStyle = color("accent-text");
  context.lineWidth = 1;
  context.setLineDash([]);
  line(context, from, box.top, from, bottom);
  line(context, to, box.top, to, bottom);
  context.globalAlpha = 1;
  context.lineWidth = 2;
  line(context, inside(rate), box.top, inside(rate), bottom);
}

/**
 * The value beside the advice's line.
 *
 * @param {Painter} painter
 * @param {number} rate
 */
export function paintAdviceLabel(painter, rate) {
  const middle = painter.box.top + ROW / 2;
  paintBeside(painter, `advice ${formatRate(rate)}`, rate, middle, "accent-text", "600 ");
}

/**
 * Up to where the curvature says that rates are safe; under every label.
 *
 * @param {Painter} painter
 * @param {number} rate
 */
export function paintSafe({ context, box, color, x }, rate) {
  context.strokeStyle = color("ok");
  context.lineWidth = 2;
  context.setLineDash([2, 2]);
  line(context, x(rate), box.top + ROW, x(rate), box.top + box.height);
}

/**
 * The place where the loss diverged, and everything beyond.
 *
 * @param {Painter} painter
 * @param {number} rate
 */
export function paintDiverged(painter, rate) {
  const { context, box, color } = painter;
  const at = painter.x(rate);
  context.fillStyle = color("error");
  context.globalAlpha = 0.12;
  context.fillRect(at, box.top, Math.max(0, rightOf(box) - at), box.height);
  context.globalAlpha = 1;
  context.strokeStyle = color("error");
  context.lineWidth = 1.5;
  context.setLineDash([]);
  line(context, at, box.top, at, box.top + box.height);
  paintBeside(painter, "✕ diverged", rate, box.top + 2.75 * ROW, "error");
}

/**
 * A text beside a rate, on the side where there is room.
 *
 * @param {Painter} painter
 * @param {string} text
 * @param {number} rate
 * @param {number} middle
 * @param {string} ink token
 * @param {string} [weight]
 */
function paintBeside(painter, text, rate, middle, ink, weight = "") {
  const { context, box, color } = painter;
  writeWith(painter, weight);
  const width = context.measureText(text).width;
  const [{ start }] = placeLabels([{ at: painter.x(rate), width }], box.left, rightOf(box));
  label(painter, text, start, middle, width, color(ink));
}

/**
 * @param {Painter} painter
 * @param {string} [weight]
 */
export function writeWith({ context, font }, weight = "") {
  context.font = `${weight}${font(12)}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
}

/**
 * The rules' rates: a tick on the axis each, with its label above.
 *
 * @param {Painter} painter
 * @param {Mark[]} marks
 */
export function paintTicks(painter, marks) {
  const { context, box, color } = painter;
  const bottom = box.top + box.height;
  writeWith(painter);
  // A tenth of the rate with the lowest loss may lie below the axis.
  const ats = marks.map(({ rate }) => Math.max(box.left, Math.min(rightOf(box), painter.x(rate))));
  const ticks = marks.map((mark, index) => {
    const text = `${mark.title}: ${formatRate(mark.rate)}`;
    const at = ats[index];
    // One that a later marker covers stands beside its label as well.
    const inset = ats.slice(index + 1).some((each) => Math.abs(each - at) < COVERED) ? MARKER : 0;
    return { mark, text, at, inset, width: inset + context.measureText(text).width };
  });
  const places = placeLabels(ticks, box.left, rightOf(box));
  const middle = (/** @type {number} */ index) => bottom - 6 - (places[index].row + 0.5) * ROW;
  for (const [index, { mark, at }] of ticks.entries()) {
    context.lineWidth = 1.5;
    context.strokeStyle = color(mark.style.color);
    context.setLineDash(mark.style.dash);
    line(context, at, middle(index) - ROW / 2, at, bottom);
  }
  context.setLineDash([]);
  for (const [index, { mark, text, at, inset, width }] of ticks.entries()) {
    const { start } = places[index];
    label(painter, text, start, middle(index), width, color("fg"), inset);
    if (inset > 0) {
      marker(painter, mark.style, start + 5, middle(index));
    }
    marker(painter, mark.style, at, bottom);
  }
}

/** @param {Painter["box"]} box */
function rightOf(box) {
  return box.left + box.width;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
export function line(context, x0, y0, x1, y1) {
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
 * @param {number} [inset] of the text
 */
export function label({ context, color }, text, x, y, width, ink, inset = 0) {
  context.fillStyle = color("bg");
  context.globalAlpha = 0.8;
  context.fillRect(x - 3, y - 8, width + 6, ROW);
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.fillText(text, x + inset, y);
}

/**
 * @param {Painter} painter
 * @param {{color: string, path: string}} style
 * @param {number} x
 * @param {number} y
 */
export function marker({ context, color }, style, x, y) {
  context.save();
  context.translate(x, y);
  const path = new Path2D(style.path);
  context.fillStyle = color(style.color);
  context.strokeStyle = color("bg");
  context.lineWidth = 1.5;
  context.fill(path);
  context.stroke(path);
  context.restore();
}
