/**
 * Whether a run can be steered just now, and if not, why.
 */

import { setDisabled } from "../shared/controls.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/** @param {Train["state"]} state */
export function isOver(state) {
  return ["finished", "stopped", "diverged", "failed"].includes(state);
}

/**
 * Whether there is a run to steer: the first begins with Start.
 *
 * @param {Pick<Train, "state" | "run">} train
 */
export function hasRun({ state, run }) {
  return state !== "idle" || run > 0;
}

/**
 * Why nothing at all can be done.
 *
 * @param {Pick<Train, "state" | "off">} train
 * @param {boolean} reachable
 * @returns {string | null}
 */
export function whyOff({ state, off }, reachable) {
  if (!reachable) {
    return "The kernel is gone";
  }
  return off ?? (state === "finding" ? "A range test is running" : null);
}

/**
 * Why what is left of the run cannot be changed.
 *
 * @param {Pick<Train, "state" | "off" | "run">} train
 * @param {boolean} reachable
 * @returns {string | null}
 */
export function whyFixed(train, reachable) {
  const off = whyOff(train, reachable);
  if (off !== null) {
    return off;
  }
  if (isOver(train.state)) {
    return train.state === "finished"
      ? "This run is over"
      : "This run is over: rewind it, or Restart";
  }
  return hasRun(train) ? null : "Press Start first; until then the curve is edited in Design";
}

/**
 * Why the run cannot go back, or be forked: it must have begun, and may be over.
 *
 * @param {Train} train
 * @param {boolean} reachable
 * @returns {string | null}
 */
export function whyBound(train, reachable) {
  const off = whyOff(train, reachable);
  if (off !== null) {
    return off;
  }
  if (!train.able.includes("rewind")) {
    return "This run keeps no snapshots";
  }
  return hasRun(train) ? null : "Nothing has been trained yet";
}

/**
 * Whether a control waits for an answer.
 *
 * @param {HTMLElement} control
 */
export const isWaiting = (control) => control.getAttribute("aria-busy") !== null;

/**
 * Turn a control off, with the reason as its tooltip, or on. One that waits for an answer is left
 * as it is.
 *
 * @param {HTMLElement} control
 * @param {string | null} why
 */
export function gate(control, why) {
  if (!isWaiting(control)) {
    setDisabled(control, why !== null, why ?? undefined);
  }
}
