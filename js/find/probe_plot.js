/**
 * The probes under the sweep, on its x axis: where each short run ended, a line for each horizon.
 */

import { clear, h, setText, svg, UNSEEN } from "../shared/dom.js";
import { formatRate, formatSteps, formatTick } from "../shared/format.js";
import { createPlot, drawLine, plotTitle } from "../shared/plot.js";
import { line, marker, paintAdvice } from "./marks.js";
import { createPicker, paintEmpty } from "./picking.js";
import { finalRange, NO_PROBES, rateResults, resultText } from "./probes.js";

/** @typedef {import("./probes.js").Probes} Probes */

const HEIGHT = 180;
/** The fits stand in rows above the axis. */
const FIT_ROW = 8;

/** @typedef {{color: string, width: number, dash: number[], path: string}} HorizonStyle */

/** The longest horizon first: it is the one that counts. @type {HorizonStyle[]} */
const STYLES = [
  { color: "series-1", width: 2, dash: [], path: "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z" },
  { color: "muted", width: 1.5, dash: [6, 3], path: "M-3.5-3.5H3.5V3.5H-3.5Z" },
  { color: "muted", width: 1, dash: [2, 3], path: "M0-4.5L4 3.5H-4Z" },
  { color: "muted", width: 1, dash: [1, 4], path: "M0 4.5L4-3.5H-4Z" },
];
const FLOOR = (STYLES.length + 1) * FIT_ROW + 4;
/** The best for the steps that were asked for. @type {HorizonStyle} */
const OPTIMUM = { color: "accent-text", width: 3, dash: [], path: "M0-6L6 0L0 6L-6 0Z" };

/**
 * @param {number[]} horizons rising
 * @param {number} horizon
 * @returns {HorizonStyle}
 */
function styleOf(horizons, horizon) {
  const place = horizons.length - 1 - horizons.indexOf(horizon);
  return STYLES[Math.min(place, STYLES.length - 1)];
}

/**
 * @param {object} options
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {() => string | null} options.lit The rate, as text, under the pointer or the focus.
 * @param {(rate: number | null) => void} options.onLight
 * @param {(rate: number) => void} options.onPick
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {AbortSignal} options.signal
 * @returns {{head: HTMLElement, element: HTMLElement, redraw: () => void,
 *   update: (probes: Probes, find: import("../shared/traits.js").FindState,
 *     range: [number, number]) => void}} `range` is that of the rates
 */
export function createProbePlot({ cross, lit, onLight, onPick, theme, signal }) {
  let probes = NO_PROBES;
  /** @type {import("../shared/traits.js").FindState | null} */
  let find = null;
  /** @type {import("./picking.js").Spot[]} */
  let spots = [];
  let keyed = "";

  const title = plotTitle();
  const keys = h("span", { class: "lrw-keys" });
  const head = h("div", { class: "lrw-plot-head" }, title, keys);
  const plot = createPlot({
    name: "Final loss of short runs against their learning rate",
    hook: "probe-plot",
    height: HEIGHT,
    xKind: "rates",
    floor: FLOOR,
    formatY: (value) => (probes.runs.length > 0 ? formatTick(value) : ""),
    series: [],
    theme,
    signal,
    paintUnder: (painter) => paintAdvice(painter, find?.advice ?? null),
    paint(painter) {
      if (probes.runs.length === 0) {
        paintEmpty(painter, find);
        return;
      }
      spots = [];
      for (const horizon of probes.horizons) {
        paintHorizon(painter, horizon);
      }
      paintFits(painter);
    },
  });
  const readout = h("span", { class: "lrw-under-pointer", ...UNSEEN });
  const box = cross.over(h("div", { class: "lrw-plot-box lrw-probe-box" }, plot.element, readout));
  createPicker(box, { spots: () => spots, onLight, onPick, signal });

  /**
   * @param {import("../shared/plot.js").Painter} painter
   * @param {number} horizon
   */
  function paintHorizon(painter, horizon) {
    const { context, box: area, color, x, y } = painter;
    const style = styleOf(probes.horizons, horizon);
    const longest = style === STYLES[0];
    const runs = probes.runs.filter((run) => run.horizon === horizon);
    const means = rateResults(runs).filter(({ final }) => Number.isFinite(final));
    const top = area.top + 7;
    const rates = means.map(({ rate }) => rate);
    const finals = means.map(({ final }) => final);
    context.globalAlpha = longest ? 1 : 0.7;
    drawLine(painter, rates, finals, style);
    context.setLineDash([]);
    for (const { rate, final, diverged, best } of runs) {
      const at = x(rate);
      const height = diverged ? top : Math.max(top, y(final));
      const chosen = best || formatRate(rate) === lit();
      context.globalAlpha = longest || chosen ? 1 : 0.7;
      if (chosen) {
        context.strokeStyle = color("fg");
        context.lineWidth = 1.5;
        context.beginPath();
        context.arc(at, height, 8, 0, 2 * Math.PI);
        context.stroke();
      }
      if (diverged) {
        context.strokeStyle = color("error");
        context.lineWidth = 1.5;
        line(context, at - 4, height - 4, at + 4, height + 4);
        line(context, at - 4, height + 4, at + 4, height - 4);
      } else {
        marker(painter, style, at, height);
      }
      spots.push({ x: at, y: height, rate });
    }
    context.globalAlpha = 1;
  }

  /**
   * Where each horizon has its best, with the uncertainty of the fit, and the best for the steps
   * that were asked for.
   *
   * @param {import("../shared/plot.js").Painter} painter
   */
  function paintFits(painter) {
    const { context, box: area, color, x } = painter;
    const bottom = area.top + area.height;
    const within = (/** @type {number} */ rate) =>
      Math.max(area.left, Math.min(area.left + area.width, x(rate)));
    context.setLineDash([]);
    for (const fit of probes.fits) {
      const row = probes.horizons.length - 1 - probes.horizons.indexOf(fit.horizon);
      const style = styleOf(probes.horizons, fit.horizon);
      const level = bottom - (Math.min(row, STYLES.length - 1) + 1.5) * FIT_ROW - 4;
      context.strokeStyle = color(style.color);
      context.lineWidth = style.width;
      line(context, within(fit.low ?? fit.rate), level, within(fit.high ?? fit.rate), level);
      marker(painter, style, within(fit.rate), level);
    }
    const { optimum } = probes;
    if (optimum) {
      const at = within(optimum.rate);
      context.strokeStyle = color(OPTIMUM.color);
      context.lineWidth = OPTIMUM.width;
      const { rate, low, high } = optimum;
      line(context, within(low ?? rate), bottom - 4, within(high ?? rate), bottom - 4);
      marker(painter, OPTIMUM, at, bottom - 4);
    }
  }

  function showKeys() {
    const { horizons, optimum } = probes;
    const key = [...horizons, !optimum].join();
    if (key === keyed) {
      return;
    }
    keyed = key;
    clear(keys).append(
      ...horizons
        .toReversed()
        .map((horizon) => keyOf(styleOf(horizons, horizon), `${formatSteps(horizon)} steps`)),
    );
    if (optimum) {
      keys.append(
        keyOf(OPTIMUM, "fit", "The best rate for the whole run, by the bars' trend, and its range"),
      );
    }
  }

  return {
    head,
    element: box,
    redraw() {
      const result = rateResults(probes.runs).find(({ rate }) => formatRate(rate) === lit());
      setText(readout, result ? `${formatRate(result.rate)}: ${resultText(result)}` : "");
      plot.redraw();
    },
    update(now, state, range) {
      probes = now;
      find = state;
      const y = finalRange(now.runs);
      plot.setData({ columns: [[]], x: range, y: y.range, logY: y.log });
      const what = state.objective === "valid" ? "final validation loss" : "final loss";
      setText(title, `${what} of short runs${y.log ? " (log)" : ""}`);
      plot.describe(probesText(now));
      showKeys();
    },
  };
}

/**
 * @param {HorizonStyle} style
 * @param {string} text
 * @param {string} [title]
 */
function keyOf({ color, dash, path, width }, text, title) {
  return h(
    "span",
    { class: "lrw-probe-key", style: `--lrw-swatch: var(--lrw-${color})`, title },
    svg(
      "svg",
      { viewBox: "-11 -6 22 12", ...UNSEEN },
      svg("path", { d: "M-11 0H11", "stroke-dasharray": dash.join(), "stroke-width": width }),
      svg("path", { d: path }),
    ),
    text,
  );
}

/**
 * What the plot shows, in words.
 *
 * @param {Probes} probes
 * @returns {string}
 */
export function probesText({ runs, horizons, optimum }) {
  if (runs.length === 0) {
    return "no runs yet";
  }
  const results = rateResults(runs);
  const best = results.find((result) => result.best);
  const rates = results.map(({ rate }) => rate);
  const range = [Math.min(...rates), Math.max(...rates)].map(formatRate).join(" to ");
  const steps = horizons.map(formatSteps).join(", ");
  const parts = [`${runs.length} runs at ${rates.length} rates from ${range}, of ${steps} steps`];
  if (best) {
    parts.push(`best at ${formatRate(best.rate)}: ${resultText({ ...best, best: false })}`);
  }
  if (optimum) {
    parts.push(`the fit has its lowest point at ${formatRate(optimum.rate)}`);
  }
  return parts.join("; ");
}
