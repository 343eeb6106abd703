/**
 * Which snapshots have room on the time line.
 */

/** @typedef {import("../shared/traits.js").SnapshotState} SnapshotState */

/** Those that say most first. */
const WEIGHTS = ["best", "hand", "start", "guard", "edit", "end", "last", "epoch", "interval"];

/** Pixels from one dot to the next: a finger must hit one of them. */
export const ROOM = 24;

/**
 * @param {string} reason
 * @returns {number} less is more important
 */
function weight(reason) {
  const at = WEIGHTS.indexOf(reason);
  return at < 0 ? WEIGHTS.length : at;
}

/**
 * @param {SnapshotState[]} snapshots rising
 * @param {number} total steps from the left end to the right end
 * @param {number} width of the line, in pixels
 * @param {number | null} kept a step that is shown whatever is near it: the one that has the focus
 * @returns {SnapshotState[]} rising
 */
export function placeDots(snapshots, total, width, kept = null) {
  const room = (ROOM * total) / Math.max(1, width);
  const order = [...snapshots].sort(
    (a, b) =>
      Number(b.step === kept) - Number(a.step === kept) ||
      weight(a.reason) - weight(b.reason) ||
      a.step - b.step,
  );
  /** @type {SnapshotState[]} */
  const placed = [];
  for (const snapshot of order) {
    if (placed.every(({ step }) => Math.abs(step - snapshot.step) >= room)) {
      placed.push(snapshot);
    }
  }
  return placed.sort((a, b) => a.step - b.step);
}
