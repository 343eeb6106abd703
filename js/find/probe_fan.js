/**
 * The fan: how the loss of each probe of the longest horizon went, the best one emphasised.
 */

import { h, setText } from "../shared/dom.js";
import { formatRate, formatSteps, formatTick } from "../shared/format.js";
import { createPlot, drawLine, plotTitle } from "../shared/plot.js";
import { smooth } from "../shared/series.js";
import { createPicker, paintEmpty } from "./picking.js";
import { fanRange, NO_PROBES } from "./probes.js";

const HEIGHT = 176;
/** Room at the right for the best one's rate, as a share of the steps. */
const ROOM = 0.34;
/** The average forgets over this share of the steps. */
const SMOOTHING = 1 / 12;

/**
 * @param {object} options
 * @param {() => string | null} options.lit The rate, as text, under the pointer or the focus.
 * @param {(rate: number | null) => void} options.onLight
 * @param {(rate: number) => void} options.onPick
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, redraw: () => void,
 *   update: (probes: import("./probes.js").Probes,
 *     find: import("../shared/traits.js").FindState) => void}}
 */
export function createProbeFan({ lit, onLight, onPick, theme, signal }) {
  /** Of the longest horizon. @type {import("./probes.js").Probe[]} */
  let runs = NO_PROBES.runs;
  /** @type {import("../shared/traits.js").FindState | null} */
  let find = null;
  /** @type {import("./picking.js").Spot[]} */
  let spots = [];

  const title = plotTitle();
  const plot = createPlot({
    name: "Loss of the longest short runs over their steps",
    hook: "probe-fan",
    height: HEIGHT,
    xKind: "steps",
    xTitle: "step",
    formatY: (value) => (runs.length > 0 ? formatTick(value) : ""),
    series: [],
    theme,
    signal,
    paint(painter) {
      spots = [];
      if (runs.length === 0) {
        paintEmpty(painter, find);
        return;
      }
      const { x, y, box } = painter;
      const lighted = runs.filter(({ rate }) => formatRate(rate) === lit());
      const among = lighted.length > 0 ? lighted : runs;
      const named = among.find(({ best }) => best) ?? lighted[0];
      // What stands out is painted last.
      for (const run of runs.toSorted((a, b) => weight(a) - weight(b))) {
        paintRun(painter, run, run === named);
        for (let i = 0; i < run.step.length; i += 1) {
          const level = y(run.loss[i]);
          if (level >= box.top && level <= box.top + box.height) {
            spots.push({ x: x(run.step[i]), y: level, rate: run.rate });
          }
        }
      }
    },
  });
  const box = h("div", { class: "lrw-plot-box" }, plot.element);
  createPicker(box, { spots: () => spots, onLight, onPick, signal });

  /** @param {import("./probes.js").Probe} run */
  function weight(run) {
    return run.best ? 2 : formatRate(run.rate) === lit() ? 1 : 0;
  }

  /**
   * @param {import("../shared/plot.js").Painter} painter
   * @param {import("./probes.js").Probe} run
   * @param {boolean} named
   */
  function paintRun(painter, { step, loss, rate, diverged, best }, named) {
    const { context, box: area, color, x, y, font } = painter;
    const lighted = formatRate(rate) === lit();
    context.globalAlpha = best || lighted ? 1 : 0.6;
    drawLine(painter, step, loss, {
      color: best ? "series-1" : diverged ? "error" : lighted ? "fg" : "muted",
      dash: diverged ? [3, 3] : [],
      width: best ? 2.5 : lighted ? 2 : 1,
    });
    context.globalAlpha = 1;
    const end = loss.length - 1;
    const level = y(loss[end]);
    if (named && level >= area.top && level <= area.top + area.height) {
      context.font = best ? `600 ${font(12)}` : font(12);
      context.fillStyle = color("fg");
      context.textAlign = "left";
      context.textBaseline = "middle";
      context.fillText(formatRate(rate), x(step[end]) + 5, level);
    }
  }

  return {
    element: h("div", { class: "lrw-probe-fan" }, h("div", { class: "lrw-plot-head" }, title), box),
    redraw: plot.redraw,
    update(probes, state) {
      find = state;
      const longest = probes.horizons[probes.horizons.length - 1] ?? 1;
      // It is the level of the lines that is compared, not the noise of their batches.
      runs = probes.runs
        .filter(({ horizon }) => horizon === longest)
        .map((run) => ({ ...run, loss: smooth(run.step, run.loss, longest * SMOOTHING) }));
      const { range, log } = fanRange(runs);
      plot.setData({ columns: [[]], x: [0, longest * (1 + ROOM)], y: range, logY: log });
      setText(
        title,
        runs.length === 0
          ? "loss of the short runs"
          : `loss over ${formatSteps(longest)} steps${log ? " (log)" : ""}`,
      );
      const best = runs.find((run) => run.best);
      plot.describe(
        runs.length === 0
          ? "no runs yet"
          : `${runs.length} runs of ${formatSteps(longest)} steps${best ? `, lowest at ${formatRate(best.rate)}` : ""}`,
      );
    },
  };
}
