/**
 * The short real runs behind an advice, as the plots and the list show them.
 */

import { decodeAll } from "../shared/codec.js";
import { formatLoss, formatRate, formatSteps } from "../shared/format.js";
import { paddedRange } from "../shared/scale.js";
import { quantile } from "./range.js";

/**
 * @typedef {object} Probe
 * @property {number} rate
 * @property {number} horizon
 * @property {number} final NaN where there is none
 * @property {boolean} diverged
 * @property {boolean} best
 * @property {ArrayLike<number>} step
 * @property {ArrayLike<number>} loss
 */

/**
 * @typedef {object} Probes
 * @property {Probe[]} runs
 * @property {number[]} horizons rising
 * @property {import("../shared/traits.js").ProbesState["fits"]} fits
 * @property {import("../shared/traits.js").FitState | null} optimum
 */

/** @type {Probes} */
export const NO_PROBES = { runs: [], horizons: [], fits: [], optimum: null };

/**
 * @param {Partial<import("../shared/traits.js").ProbesState> | null | undefined} value `_probes`
 * @returns {Probes}
 */
export function readProbes(value) {
  const runs = (value?.runs ?? []).map(({ rate, horizon, final, diverged, best, columns }) => {
    const { step = [], loss = [] } = decodeAll(columns);
    return {
      rate,
      horizon,
      final: final ?? Number.NaN,
      diverged: diverged || !Number.isFinite(final ?? Number.NaN),
      best: best === true,
      step,
      loss,
    };
  });
  return {
    runs,
    horizons: [...new Set(runs.map(({ horizon }) => horizon))].sort((a, b) => a - b),
    fits: value?.fits ?? [],
    optimum: value?.optimum ?? null,
  };
}

/**
 * What is known of one rate: how it ended at the longest horizon that it was tried for.
 *
 * @typedef {object} RateResult
 * @property {number} rate
 * @property {number} horizon
 * @property {number} final The mean over the seeds; NaN if all of them diverged.
 * @property {boolean} best
 */

/**
 * One result for each rate, rising. Rates that read the same are one.
 *
 * @param {Probe[]} runs
 * @returns {RateResult[]}
 */
export function rateResults(runs) {
  /** @type {Map<string, Probe[]>} */
  const byRate = new Map();
  for (const run of runs) {
    const key = formatRate(run.rate);
    byRate.set(key, [...(byRate.get(key) ?? []), run]);
  }
  return [...byRate.values()]
    .map((same) => {
      const horizon = Math.max(...same.map((run) => run.horizon));
      const longest = same.filter((run) => run.horizon === horizon);
      const ended = longest.filter((run) => !run.diverged);
      return {
        rate: (same.find((run) => run.best) ?? longest[0]).rate,
        horizon,
        final: ended.reduce((sum, run) => sum + run.final, 0) / (ended.length || Number.NaN),
        best: same.some((run) => run.best),
      };
    })
    .sort((a, b) => a.rate - b.rate);
}

/**
 * @param {RateResult} result
 * @returns {string} "loss 0.312 after 200 steps, the best"
 */
export function resultText({ final, horizon, best }) {
  const steps = `${formatSteps(horizon)} steps`;
  return Number.isFinite(final)
    ? `loss ${formatLoss(final)} after ${steps}${best ? ", the best" : ""}`
    : `diverged within ${steps}`;
}

/** From this ratio on, losses are told apart better on a logarithmic axis. */
const WIDE = 5;

/**
 * The range of final losses to show. What ended far above where it began is no candidate: it
 * leaves the plot at the top instead of pressing the others flat.
 *
 * @param {Probe[]} runs
 * @returns {{range: [number, number], log: boolean}}
 */
export function finalRange(runs) {
  const sound = runs.filter((run) => !run.diverged);
  return shownRange(
    sound.map((run) => run.final),
    runs,
  );
}

/**
 * The range of losses of a fan: from the lowest to where the runs began.
 *
 * @param {Probe[]} runs
 * @returns {{range: [number, number], log: boolean}}
 */
export function fanRange(runs) {
  const sound = runs.filter((run) => !run.diverged);
  return shownRange(
    sound.flatMap(({ loss }) => Array.from(loss)),
    sound,
  );
}

/**
 * About where a run began: a single loss is that of one batch.
 *
 * @param {ArrayLike<number>} losses
 */
function startOf(losses) {
  const first = Array.from(losses).slice(0, Math.ceil(losses.length / 10));
  return Math.max(...first.filter(Number.isFinite));
}

/**
 * @param {number[]} losses
 * @param {Probe[]} runs Where they began may be seen.
 * @returns {{range: [number, number], log: boolean}}
 */
function shownRange(losses, runs) {
  const sorted = losses.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) {
    return { range: [0, 1], log: false };
  }
  const low = sorted[0];
  const starts = runs.map(({ loss }) => startOf(loss)).sort((a, b) => a - b);
  // Half of what ended is in sight whatever the start was.
  const usual = Math.max(quantile(sorted, 0.5), quantile(starts, 0.5));
  const high = Math.min(sorted[sorted.length - 1], usual + 0.25 * (usual - low));
  const log = low > 0 && high / low >= WIDE;
  return { range: paddedRange(low, high, log), log };
}
