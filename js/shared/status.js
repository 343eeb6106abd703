/**
 * The status chip's sentence: what the kernel, the sweep and the run are doing right now.
 */

import { formatSteps } from "./format.js";

/** @typedef {import("./protocol.js").ClientState} ClientState */
/** @typedef {import("./traits.js").FindState} FindState */
/** @typedef {ReturnType<typeof import("./traits.js").readTrain>} Train */

/**
 * @typedef {object} Status
 * @property {string} text
 * @property {"idle" | "active" | "paused" | "done" | "warn" | "error"} tone
 */

export const BUSY_TEXT = "kernel busy, will answer when the running cell ends";
export const GONE_TEXT = "kernel gone, showing the last state";

/** @type {Record<string, string>} */
const PENDING = {
  "find.start": "starting to find…",
  "find.stop": "stopping…",
  "train.start": "starting…",
  "train.pause": "pausing…",
  "train.resume": "resuming…",
  "train.step": "stepping…",
  "train.stop": "stopping…",
  "train.restart": "restarting…",
  "train.rewind": "rewinding…",
  "train.take": "taking the fork…",
  "train.fan_take": "taking the best…",
};

/**
 * What a command that waits for its answer is called, or null where it passes unnoticed.
 *
 * @param {string[]} pending
 * @returns {string | null}
 */
export function pendingText(pending) {
  const kind = pending.find((each) => each in PENDING);
  return kind === undefined ? null : PENDING[kind];
}

/**
 * @param {Train} train
 * @returns {Status}
 */
function runStatus({ state, step, total }) {
  const place = `${formatSteps(step)} / ${formatSteps(total)}`;
  switch (state) {
    case "compiling":
      return { text: "compiling the training step…", tone: "active" };
    case "running":
      return { text: `training ${place}`, tone: "active" };
    case "paused":
      return { text: `paused at ${place}`, tone: "paused" };
    case "finished":
      return { text: `finished ${formatSteps(step)} steps`, tone: "done" };
    case "stopped":
      return { text: `stopped at ${place}`, tone: "idle" };
    case "diverged":
      // That step's loss was taken before the run ended.
      return { text: `diverged at ${formatSteps(step - 1)}`, tone: "error" };
    case "failed":
      return { text: `failed at ${formatSteps(step)}`, tone: "error" };
    case "finding":
      return { text: "finding…", tone: "active" };
    default:
      return { text: "idle", tone: "idle" };
  }
}

/**
 * @param {ClientState} client
 * @param {FindState} find
 * @param {Train} train
 * @returns {Status}
 */
export function statusOf(client, find, train) {
  if (client.gone) {
    return { text: GONE_TEXT, tone: "error" };
  }
  // While the step compiles, the loop answers late although nothing blocks the kernel.
  const works = train.state === "compiling" || train.activity !== null || find.stopping;
  if (client.busy && !works) {
    return { text: BUSY_TEXT, tone: "warn" };
  }
  const pending = pendingText(client.pending);
  if (pending !== null && !works) {
    return { text: pending, tone: "active" };
  }
  if (find.state === "running") {
    const what = find.phase === "probes" ? "finding: probes" : "finding";
    const share = `${what} ${Math.floor(find.progress * 100)} %`;
    return { text: find.stopping ? PENDING["find.stop"] : share, tone: "active" };
  }
  const status = runStatus(train);
  const { notice, activity } = train;
  if (activity) {
    return { text: `${activity}…`, tone: "active" };
  }
  if (!notice) {
    return status;
  }
  // "diverged at 631, rolled back to 600" is said once.
  const text = notice.startsWith(status.text) ? notice : `${status.text} · ${notice}`;
  return { text, tone: status.tone === "error" ? "error" : "warn" };
}
