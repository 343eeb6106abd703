/**
 * Lines over an axis, on a canvas: themed, in ranges that the panel decides, drawn at most once a
 * frame and only while it can be seen, with room to paint on top.
 *
 * Written by hand because a plotting library would be half of the bundle, and its own ranges,
 * ticks, legend and cursor would all be switched off.
 */

import { h, setAttribute } from "./dom.js";
import { formatRate, formatSteps } from "./format.js";
import { createFrames } from "./frames.js";
import { GUTTER, linearSplits, logSplits } from "./scale.js";

/**
 * @typedef {object} PlotSeries
 * @property {string} color A token, as "series-1".
 * @property {number} [width]
 * @property {number} [alpha]
 * @property {boolean} [points] Points only, without the line.
 */

/**
 * What a panel paints with, in CSS pixels of the whole plot.
 *
 * @typedef {object} Painter
 * @property {CanvasRenderingContext2D} context
 * @property {{left: number, top: number, width: number, height: number}} box
 * @property {(value: number) => number} x
 * @property {(value: number) => number} y
 * @property {(token: string) => string} color
 * @property {(size: number) => string} font
 */

/**
 * @typedef {object} PlotData
 * @property {ArrayLike<number>[]} columns x first, then one for each series. No more points than
 *   can be seen: the caller thins them.
 * @property {[number, number]} x Range shown.
 * @property {[number, number]} y Range shown.
 * @property {boolean} [logY]
 */

/**
 * @typedef {object} PlotOptions
 * @property {string} name Accessible name, before what `describe` adds.
 * @property {string} [hook] `data-lrw`
 * @property {number} height In CSS pixels, axis included.
 * @property {"steps" | "rates"} xKind Steps are linear and whole, rates are logarithmic.
 * @property {string} [xTitle]
 * @property {number} [floor] Pixels above the x axis that the series leave free, for what is
 *   painted there.
 * @property {(value: number) => string} formatY
 * @property {PlotSeries[]} series
 * @property {import("./theme.js").Theme} theme
 * @property {AbortSignal} signal
 * @property {(painter: Painter) => void} [paintUnder] Over the grid, under the series.
 * @property {(painter: Painter) => void} [paint] Over the series.
 */

/**
 * @typedef {object} Plot
 * @property {HTMLElement} element
 * @property {(data: PlotData) => void} setData
 * @property {() => void} redraw
 * @property {(text: string) => void} describe What the plot shows, in words.
 */

/** Pixels that the label of a tick needs at least. */
const X_LABEL = 72;
const Y_LABEL = 34;
/** Powers of ten are short, and far apart in what they mean. */
const Y_LABEL_LOG = 24;
const TITLE = 16;

/**
 * @param {[number, number]} range
 * @param {boolean} log
 * @param {number} from pixel of the range's lower end
 * @param {number} to
 * @returns {(value: number) => number}
 */
function scale([low, high], log, from, to) {
  if (log) {
    const size = Math.log(high / low);
    // Zero has no place on a log axis: just outside of the plot.
    return (v) => (v > 0 ? from + ((to - from) * Math.log(v / low)) / size : from + (from - to));
  }
  return (v) => from + ((to - from) * (v - low)) / (high - low);
}

/**
 * @param {PlotOptions} options
 * @returns {Plot}
 */
export function createPlot(options) {
  const { name, hook, height, xKind, xTitle, floor = 0, formatY, series, theme, signal } = options;
  const canvas = h("canvas");
  const element = h(
    "div",
    {
      class: "lrw-plot",
      role: "img",
      "aria-label": name,
      hook,
      style: `height: ${height}px`,
    },
    canvas,
  );
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

  /** @type {PlotData | null} */
  let data = null;

  function draw() {
    // JupyterLab hides cells that scroll away: their width is 0 until they come back.
    const width = Math.floor(element.clientWidth);
    if (data === null || width === 0) {
      return;
    }
    const ratio = devicePixelRatio || 1;
    const pixels = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
      [canvas.width, canvas.height] = pixels;
    }
    const box = {
      left: GUTTER.left,
      top: GUTTER.top,
      width: Math.max(1, width - GUTTER.left - GUTTER.right),
      height: height - GUTTER.top - GUTTER.bottom - (xTitle ? TITLE : 0),
    };
    const bottom = box.top + box.height;
    /** @type {Painter} */
    const painter = {
      context,
      box,
      x: scale(data.x, xKind === "rates", box.left, box.left + box.width),
      y: scale(data.y, data.logY === true, bottom - floor, box.top),
      color: theme.color,
      font: (size) => `${size}px ${theme.font()}`,
    };
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    drawAxes(painter, data, width);
    options.paintUnder?.(painter);
    const [x, ...columns] = data.columns;
    for (const [index, { alpha = 1, ...style }] of series.entries()) {
      context.globalAlpha = alpha;
      drawLine(painter, x, columns[index], style);
      context.globalAlpha = 1;
    }
    options.paint?.(painter);
  }

  /**
   * @param {Painter} painter
   * @param {PlotData} current
   * @param {number} width
   */
  function drawAxes({ box, x, y, color, font }, current, width) {
    const right = box.left + box.width;
    const bottom = box.top + box.height;
    const rates = xKind === "rates";
    const xSplits = (rates ? logSplits : linearSplits)(...current.x, box.width / X_LABEL, !rates);
    const ySplits = (current.logY ? logSplits : linearSplits)(
      ...current.y,
      (box.height - floor) / (current.logY ? Y_LABEL_LOG : Y_LABEL),
    );
    context.setLineDash([]);
    context.lineWidth = 1;
    context.strokeStyle = color("grid");
    context.fillStyle = color("muted");
    context.font = font(11);
    context.beginPath();
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const value of xSplits) {
      // Half a pixel: a line of one pixel stays one pixel.
      const at = Math.round(x(value)) + 0.5;
      context.moveTo(at, box.top);
      context.lineTo(at, bottom);
      const text = rates ? formatRate(value) : formatSteps(value);
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(at, width - half), bottom + 7);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of ySplits) {
      const at = Math.round(y(value)) + 0.5;
      context.moveTo(box.left, at);
      context.lineTo(right, at);
      context.fillText(formatY(value), box.left - 8, at);
    }
    context.stroke();
    if (xTitle) {
      context.font = font(12);
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillText(xTitle, box.left + box.width / 2, bottom + GUTTER.bottom);
    }
  }

  const schedule = createFrames(element, draw, signal);
  theme.onChange(schedule, signal);

  return {
    element,
    setData(next) {
      data = next;
      schedule();
    },
    redraw: schedule,
    describe: (text) => setAttribute(element, "aria-label", `${name}: ${text}`),
  };
}

/**
 * @param {string} [text]
 */
export const plotTitle = (text) => h("span", { class: "lrw-plot-title" }, text);

/**
 * Draw points joined by a line, inside the plotting area. Non-finite values are passed over.
 *
 * @param {Painter} painter
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} y
 * @param {object} style
 * @param {string} style.color
 * @param {number} [style.width]
 * @param {number[]} [style.dash]
 * @param {boolean} [style.markers] Rings at the points.
 * @param {boolean} [style.points] Dots at the points and no line.
 */
export function drawLine({ context, box, color, x: toX, y: toY }, x, y, style) {
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  context.strokeStyle = color(style.color);
  context.lineWidth = style.width ?? 1.5;
  context.lineJoin = "round";
  context.setLineDash(style.dash ?? []);
  context.beginPath();
  for (let i = 0; i < x.length && !style.points; i += 1) {
    if (Number.isFinite(y[i])) {
      // A canvas forgets a path that goes further than its own small floats.
      context.lineTo(toX(x[i]), Math.min(1e6, Math.max(-1e6, toY(y[i]))));
    }
  }
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = color(style.points ? style.color : "bg");
  for (let i = 0; i < x.length && (style.points || style.markers); i += 1) {
    if (Number.isFinite(y[i])) {
      context.beginPath();
      context.arc(toX(x[i]), toY(y[i]), style.points ? 2 : 3, 0, 2 * Math.PI);
      context.fill();
      if (style.markers) {
        context.stroke();
      }
    }
  }
  context.restore();
}
