/**
 * The plot of the loss, or of another metric, over the steps.
 */

import { evaluate } from "../schedule/model.js";
import { SCALES, segmentedControl, select } from "../shared/controls.js";
import { h, setText, UNSEEN } from "../shared/dom.js";
import { formatLoss, formatRate, formatSteps, formatTick } from "../shared/format.js";
import { createPlot, drawLine, plotTitle } from "../shared/plot.js";
import { decimate, gather, lastFinite, nearest, smooth } from "../shared/series.js";
import { bestLine } from "./fan.js";
import { createFlags } from "./flags.js";
import {
  createKey,
  describe,
  paintBranches,
  paintGhostName,
  paintHead,
  paintNames,
} from "./loss_marks.js";
import { metricRange } from "./range.js";
import { watchedName } from "./rates.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const HEIGHT = 240;
/** The moving average forgets over this share of the run, and over no fewer steps than these. */
const SMOOTHING = 1 / 200;
const LEAST_SPAN = 10;
const MOST_GHOST_PIXELS = 800;
const NOT_METRICS = new Set(["step", "learning_rate"]);

/**
 * @param {Pick<Train, "columns" | "valid_columns" | "effective" | "reports">} train
 * @returns {string[]} every metric that has a curve, the loss first and what links report last
 */
export function metricNames({ columns, valid_columns, effective, reports }) {
  const metrics = ["loss", ...columns, ...valid_columns].filter((name) => !reports.includes(name));
  return [...new Set([...metrics, ...reports])].filter(
    (name) => !NOT_METRICS.has(name) && !effective.includes(name),
  );
}

/**
 * @param {import("../frame/view.js").Context} context
 * @param {object} options
 * @param {() => Train} options.train
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {import("./branches.js").BranchData} options.branches
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, extent: number) => void}}
 */
export function createLosses({ run, store, theme }, { train, cross, branches, signal }) {
  const metric = select({
    label: "metric",
    hideLabel: true,
    choices: [],
    value: "loss",
    signal,
    onChange: (name) => store.set({ metric: name }),
  });
  const title = plotTitle("loss");
  const scale = segmentedControl({
    label: "y axis of the metric",
    choices: SCALES,
    value: store.get().lossScale ?? "linear",
    hook: "loss-scale",
    signal,
    onChange: (lossScale) => store.set({ lossScale }),
  });
  const keys = {
    raw: createKey("lrw-key-raw", "train"),
    smoothed: createKey("", "smoothed"),
    valid: createKey("lrw-key-valid", "validation"),
  };
  keys.smoothed.value.dataset.lrw = "loss-value";
  const readout = h("span", { class: "lrw-under-pointer", ...UNSEEN });
  const flags = createFlags();
  /** @type {{x: Float64Array, raw: Float64Array, smoothed: Float64Array}} */
  let drawn = { x: new Float64Array(0), raw: new Float64Array(0), smoothed: new Float64Array(0) };
  let name = "loss";
  /** The run before, smoothed, for the metric shown. @type {{x: Float64Array, y: Float64Array} | null} */
  let ghost = null;
  /** @type {unknown[]} */
  let ghostOf = [];
  /** @type {import("./branches.js").BranchLine[]} */
  let lines = [];
  /** @type {string | null} */
  let best = null;

  const plot = createPlot({
    name: "Loss over the steps",
    hook: "loss-plot",
    height: HEIGHT,
    xKind: "steps",
    formatY: formatTick,
    series: [
      { color: "series-1", alpha: 0.35, width: 1 },
      { color: "series-1", width: 2 },
    ],
    theme,
    signal,
    paintUnder: (painter) => {
      if (ghost) {
        drawLine(painter, ghost.x, ghost.y, { color: "muted", dash: [2, 3] });
      }
      paintBranches(painter, lines, best);
    },
    paint: (painter) => {
      if (ghost) {
        paintGhostName(painter, ghost.x.at(-1) ?? 0, ghost.y.at(-1) ?? Number.NaN);
      }
      const { x, smoothed } = drawn;
      const valid = run.valid.column(name);
      drawLine(painter, run.valid.column("step"), valid, {
        color: "series-2",
        width: 1.5,
        dash: [6, 3],
        markers: valid.length <= 100,
      });
      if (x.length > 0 && Number.isFinite(smoothed[x.length - 1])) {
        paintHead(painter, x[x.length - 1], smoothed[x.length - 1]);
      }
      paintNames(painter, lines);
    },
  });
  let extent = 1;
  cross.onMove((share) => showReadout(share === null ? null : Math.round(share * extent)));

  /** @param {number | null} step */
  function showReadout(step) {
    if (step === null) {
      setText(readout, "");
      return;
    }
    const steps = run.table.column("step");
    const { plan, step: now, ...others } = train();
    const word = watchedName(others).replace("learning rate", "rate");
    const index = nearest(steps, step);
    if (index >= 0 && step <= now) {
      const rate = run.table.column("learning_rate")[index];
      setText(
        readout,
        `step ${formatSteps(steps[index])} · ${formatLoss(run.table.column(name)[index])} · ${word} ${formatRate(rate)}`,
      );
    } else {
      const rate = plan ? ` · ${word} ${formatRate(evaluate(plan, step))}` : "";
      setText(readout, `step ${formatSteps(step)}${rate}`);
    }
  }

  /** @param {number} span */
  function updateGhost(span) {
    const columns = run.ghost();
    if (ghostOf[0] === columns && ghostOf[1] === name && ghostOf[2] === span) {
      return;
    }
    ghostOf = [columns, name, span];
    const before = columns?.[name];
    if (!columns || !before) {
      ghost = null;
      return;
    }
    const y = smooth(columns.step, before, span);
    const chosen = decimate(columns.step, y, MOST_GHOST_PIXELS);
    ghost = { x: gather(columns.step, chosen), y: gather(y, chosen) };
  }

  return {
    element: h(
      "div",
      { class: "lrw-plot-block lrw-losses" },
      h(
        "div",
        { class: "lrw-plot-head" },
        title,
        metric.element,
        h("span", { class: "lrw-keys" }, ...Object.values(keys).map((key) => key.element)),
        scale.element,
      ),
      cross.over(h("div", { class: "lrw-plot-box" }, plot.element, flags.element, readout)),
    ),
    update(now, end) {
      extent = end;
      const names = metricNames(now);
      const wanted = store.get().metric ?? "loss";
      name = names.includes(wanted) ? wanted : "loss";
      metric.setChoices(
        names.map((value) => ({
          value,
          label: value,
          group: now.reports.includes(value) ? "Reports of the chain" : "",
        })),
      );
      metric.set(name);
      metric.element.hidden = names.length < 2;
      title.hidden = names.length >= 2;
      const log = (store.get().lossScale ?? "linear") === "log";
      scale.set(log ? "log" : "linear");

      const steps = run.table.column("step");
      const raw = run.table.column(name);
      const valid = run.valid.column(name);
      const span = Math.max(LEAST_SPAN, now.total * SMOOTHING);
      const averaged = smooth(steps, raw, span);
      updateGhost(span);
      lines = branches.smoothed(name, span, { x: steps, y: averaged });
      best = bestLine(now.fan);
      const shown = decimate(steps, raw, Math.max(100, plot.element.clientWidth));
      drawn = {
        x: gather(steps, shown),
        raw: gather(raw, shown),
        smoothed: gather(averaged, shown),
      };
      const newest = lastFinite(raw) ?? now.metrics[name] ?? null;
      const average = lastFinite(averaged);
      keys.raw.show(formatLoss(newest), raw.length > 0 || now.columns.includes(name));
      keys.smoothed.show(formatLoss(average), raw.length > 0 || now.columns.includes(name));
      keys.valid.show(formatLoss(lastFinite(valid)), now.valid_columns.includes(name));
      // What was cut off may have blown up: it does not decide what is seen of the rest.
      const beside = lines.filter(({ kind }) => kind !== "abandoned").map(({ y }) => y);
      plot.setData({
        columns: [drawn.x, drawn.raw, drawn.smoothed],
        x: [0, extent],
        y: metricRange([drawn.raw, valid, ghost?.y ?? []], log, beside),
        logY: log,
      });
      plot.describe(describe(name, now.step, average, lastFinite(valid), drawn.smoothed));
      flags.update(now.edits, extent);
    },
  };
}
