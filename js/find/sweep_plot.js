/**
 * The plot of the range test: loss against learning rate as it comes, with what was read off it.
 */

import { h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { formatLoss, formatRate, formatTick } from "../shared/format.js";
import { createPlot, plotTitle } from "../shared/plot.js";
import { nearest } from "../shared/series.js";
import {
  FLOOR,
  paintAdvice,
  paintAdviceLabel,
  paintDiverged,
  paintSafe,
  paintSeeds,
  paintTicks,
  ruleStyle,
} from "./marks.js";
import { axisShare, sweepRange } from "./range.js";
import { formatShort } from "./words.js";

/** @typedef {import("../shared/traits.js").FindState} FindState */

const HEIGHT = 268;

/**
 * @param {object} options
 * @param {import("./data.js").SweepData} options.sweep
 * @param {import("../shared/traits.js").RuleDeclaration[]} options.rules
 * @param {(rule: import("../shared/traits.js").RuleDeclaration) => boolean} options.hidden
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {AbortSignal} options.signal
 * @returns {{head: HTMLElement, element: HTMLElement, redraw: () => void,
 *   update: (find: FindState, range: [number, number]) => void}} `range` is that of the rates
 */
export function createSweepPlot({ sweep, rules, hidden, cross, theme, signal }) {
  /** @type {FindState | null} */
  let find = null;
  /** @type {[number, number]} */
  let shown = [1e-7, 10];
  const column = sweep.table.column;

  const title = plotTitle();
  const seedsKey = h("span", { class: "lrw-key lrw-key-band" });
  const head = h(
    "div",
    { class: "lrw-plot-head" },
    title,
    h(
      "span",
      { class: "lrw-keys" },
      h("span", { class: "lrw-key lrw-key-points" }, "each step"),
      h("span", { class: "lrw-key" }, "smoothed"),
      seedsKey,
    ),
  );
  const readout = h("span", { class: "lrw-under-pointer", ...UNSEEN });
  const plot = createPlot({
    name: "Loss against learning rate",
    hook: "find-plot",
    height: HEIGHT,
    xKind: "rates",
    xTitle: "learning rate (log)",
    floor: FLOOR,
    formatY: (value) => (sweep.table.length > 0 ? formatTick(value) : ""),
    series: [
      { color: "series-1", alpha: 0.45, points: true },
      { color: "series-1", width: 2 },
    ],
    theme,
    signal,
    paintUnder(painter) {
      paintSeeds(painter, column("learning_rate"), column("band_low"), column("band_high"));
      paintAdvice(painter, find?.advice ?? null);
    },
    paint(painter) {
      if (find === null) {
        return;
      }
      if (!safe.hidden) {
        paintSafe(painter, Number(find.curvature?.safe_up_to));
      }
      if (find.diverged_at !== null) {
        paintDiverged(painter, find.diverged_at);
      }
      const { suggestions, advice } = find;
      paintTicks(
        painter,
        rules.flatMap((rule, index) => {
          const { name, title } = rule;
          const rate = suggestions[name];
          return rate === undefined || hidden(rule)
            ? []
            : [{ title, rate, style: ruleStyle(index) }];
        }),
      );
      if (advice && advice.learning_rate !== null) {
        paintAdviceLabel(painter, advice.learning_rate);
      }
    },
  });

  // In the page and not on the canvas: what it means is its tooltip, and can be read out.
  const safeText = h("span", { class: "lrw-safe-text" });
  const safe = h("div", { class: "lrw-safe", role: "note", hidden: true }, safeText);
  const box = cross.over(
    h(
      "div",
      { class: "lrw-plot-box lrw-sweep-box" },
      plot.element,
      h("div", { class: "lrw-overlay lrw-marks" }, safe),
      readout,
    ),
  );
  cross.onMove((share) => {
    const rates = column("learning_rate");
    const index = share === null ? -1 : nearest(rates, shown[0] * (shown[1] / shown[0]) ** share);
    setText(
      readout,
      index < 0
        ? ""
        : `${formatRate(rates[index])}: loss ${formatLoss(column("loss")[index])}, smoothed ${formatLoss(column("smoothed")[index])}`,
    );
  });

  /** @param {FindState} now */
  function showSafe({ curvature }) {
    const rate = curvature?.safe_up_to ?? Number.NaN;
    const share = axisShare(rate, shown);
    safe.hidden = !(share >= 0 && share <= 1);
    if (curvature && !safe.hidden) {
      safe.style.left = `${share * 100}%`;
      safe.classList.toggle("lrw-safe-left", share > 0.7);
      const text = `safe up to ${formatShort(rate)}`;
      setText(safeText, text);
      setAttribute(safeText, "title", curvature.meaning);
      setAttribute(safe, "aria-label", `Curvature: ${text}. ${curvature.meaning}`);
    }
  }

  return {
    head,
    element: box,
    redraw: plot.redraw,
    update(now, range) {
      find = now;
      shown = range;
      const rates = column("learning_rate");
      plot.setData({
        columns: [rates, column("loss"), column("smoothed")],
        x: range,
        y: sweepRange(column("loss"), column("smoothed")),
      });
      plot.describe(sweepText(now, rules, rates.length));
      setText(title, now.objective === "valid" ? "validation loss" : "loss");
      const { seeds } = now.settings;
      seedsKey.hidden = seeds < 2;
      setText(seedsKey, `range of ${seeds} seeds`);
      showSafe(now);
    },
  };
}

/**
 * What the plot shows, in words.
 *
 * @param {FindState} find
 * @param {import("../shared/traits.js").RuleDeclaration[]} rules
 * @param {number} points
 * @returns {string}
 */
export function sweepText({ suggestions, diverged_at, advice, curvature }, rules, points) {
  if (points === 0) {
    return "no points yet";
  }
  const parts = [`${points} points`];
  if (diverged_at !== null) {
    parts.push(`diverged at ${formatRate(diverged_at)}`);
  }
  const marks = rules
    .filter(({ name }) => suggestions[name] !== undefined)
    .map(({ name, title }) => `${title} ${formatRate(suggestions[name])}`);
  if (marks.length > 0) {
    parts.push(`suggestions: ${marks.join(", ")}`);
  }
  if (typeof curvature?.safe_up_to === "number") {
    parts.push(`curvature: safe up to ${formatShort(curvature.safe_up_to)}`);
  }
  if (advice && advice.learning_rate !== null) {
    parts.push(`advice ${formatRate(advice.learning_rate)}`);
  }
  return parts.join("; ");
}
