/**
 * What the Find panel says: how far it is, how it ended, what the advice is.
 */

import { formatRate, formatSteps, sentence } from "../shared/format.js";

/** @typedef {import("../shared/traits.js").FindState} FindState */
/** @typedef {import("../shared/traits.js").AdviceState} AdviceState */
/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/** @param {string} error */
export function failureOf(error) {
  return `The range test failed: ${error}`;
}

/**
 * Whether there is a run to check from: one that has begun and is not over.
 *
 * @param {Pick<Train, "state" | "step">} train
 */
export function canCheckHere({ state, step }) {
  return (state === "running" || state === "paused") && step > 0;
}

/**
 * Whether the search is over without an advice.
 *
 * @param {FindState} find
 */
export function isBarren({ state, advice }) {
  return state !== "running" && advice !== null && advice.state !== "advised";
}

/**
 * @param {FindState} find
 * @param {string} training
 * @param {{points: number, runs: number, best?: number}} come Points of the sweep and probes so
 *   far, and the rate of the best of them.
 * @returns {string}
 */
export function noteOf(find, training, { points, runs, best }) {
  const { state, phase, settings, stopping } = find;
  if (state === "running") {
    if (stopping) {
      return "Stopping as soon as the step ends that is being run or compiled.";
    }
    if (phase === "probes" && runs === 0) {
      return `${sentence(find.advice?.stage ?? "")}…`;
    }
    if (points === 0) {
      return "The first step is being compiled…";
    }
    if (phase === "probes") {
      const done = runs === 1 ? "1 short run" : `${formatSteps(runs)} short runs`;
      return best === undefined ? done : `${done}, the lowest at ${formatRate(best)} so far`;
    }
    const { steps, seeds } = settings;
    const done = `Step ${formatSteps(points)} of ${formatSteps(steps)}`;
    return seeds > 1 ? `${done}, ${seeds} seeds` : done;
  }
  if (["running", "compiling"].includes(training)) {
    return "A run is training: pause or stop it to search from the initial weights.";
  }
  if (state === "idle") {
    return "";
  }
  return find.outdated ? `${summaryOf(find)} ${find.outdated}` : summaryOf(find);
}

/**
 * What is being done for an advice, or what has become of it.
 *
 * @param {FindState} find
 * @returns {string}
 */
export function stageOf({ advice, outdated, phase, stopping }) {
  if (advice?.state !== "running") {
    return outdated ? "Out of date" : "";
  }
  if (stopping) {
    return "";
  }
  return phase === "probes" ? `${sentence(advice.stage)}…` : "First the range test.";
}

/**
 * How the search ended.
 *
 * @param {FindState} find
 */
function summaryOf(find) {
  const { advice } = find;
  const outcome = outcomeOf(find);
  switch (advice?.state) {
    case "advised":
      return `${outcome} Advice: ${formatRate(advice.learning_rate)}.`;
    case "refused":
    case "failed":
      return `${outcome} ${titleOf(advice)}.`;
    default:
      return outcome;
  }
}

/**
 * How the sweep ended.
 *
 * @param {FindState} find
 * @returns {string}
 */
export function outcomeOf({ state, error, diverged_at, stopped, advice }) {
  if (state === "failed") {
    return error === null ? "The range test failed." : failureOf(error);
  }
  const inProbes = advice?.state === "stopped" && stopped !== "cancelled";
  if (state === "stopped" && !inProbes) {
    return "Stopped before the end.";
  }
  const end =
    diverged_at === null
      ? "The range test reached its highest rate."
      : `Ended at ${formatRate(diverged_at)}, where the loss diverged.`;
  return inProbes ? `${end} The short runs were stopped.` : end;
}

/**
 * What a screen reader says when a search is over.
 *
 * @param {FindState} find
 * @returns {string}
 */
export function spokenOutcome(find) {
  const { advice } = find;
  const more = advice?.sure ? `${advice.sure}, ${betweenOf(advice)}` : advice?.refused;
  return `${summaryOf(find)} ${sentence(more ?? "")}`.trim();
}

/**
 * @param {AdviceState} advice
 * @returns {string}
 */
export function titleOf({ state, learning_rate }) {
  switch (state) {
    case "advised":
      return `Use ${formatRate(learning_rate)}`;
    case "refused":
      return "No advice";
    case "failed":
      return "The advice failed";
    case "stopped":
      return "Stopped";
    default:
      return "Looking for a rate…";
  }
}

/**
 * @param {Pick<AdviceState, "low" | "high">} advice
 * @returns {string} empty where no range is known
 */
export function betweenOf({ low, high }) {
  return low === null || high === null
    ? ""
    : `the best lies between ${formatShort(low)} and ${formatShort(high)}`;
}

/**
 * A bound, of which nobody knows a third figure.
 *
 * @param {number} rate
 */
export function formatShort(rate) {
  return formatRate(Number(rate.toPrecision(2)));
}

/**
 * What taking a rate does.
 *
 * @param {FindState["settings"]["from"]} from
 * @returns {string}
 */
export function effectOf(from) {
  return from === "here"
    ? "scales what is left of the run's curve to this rate"
    : "rescales the schedule, so that it peaks at this rate";
}

/**
 * What the advice is for.
 *
 * @param {AdviceState} advice
 * @param {FindState["settings"]["from"]} from
 * @returns {string}
 */
export function aimOf({ steps, loss }, from) {
  const what = loss === "valid" ? "validation loss" : "training loss";
  const where = from === "here" ? " from where the run is" : "";
  return steps === null
    ? `Aims at the lowest final ${what}${where}.`
    : `Aims at the lowest ${what} after ${formatSteps(steps)} steps${where}.`;
}

/**
 * @param {number} sweep Gradient steps of the range test.
 * @param {number | null} probes Those of the advice, where there was one.
 * @returns {string}
 */
export function costOf(sweep, probes) {
  if (sweep <= 0 && !probes) {
    return "";
  }
  const parts = probes ? ` for the range test and ${formatSteps(probes)} for the advice` : "";
  return `Cost: ${formatSteps(sweep)} gradient steps${parts}, on a copy; your model is as it was.`;
}

/** How sure, as filled dots of three. @type {Record<string, string>} */
const DOTS = { "very sure": "●●●", "fairly sure": "●●○", "a first guess": "●○○" };

/**
 * @param {string | null} sure
 * @returns {string}
 */
export function dotsOf(sure) {
  return DOTS[sure ?? ""] ?? "";
}
