/**
 * The history of the run: the snapshot and the deltas after it, put together once per model for
 * every view.
 */

import { decodeAll } from "../shared/codec.js";
import { createListeners, onAbort } from "../shared/listeners.js";
import { createTable } from "../shared/series.js";

/** @typedef {import("../shared/codec.js").Columns} Columns */
/** @typedef {import("../shared/series.js").Table} Table */

/**
 * @typedef {object} RunData
 * @property {Table} table step, the metrics, learning_rate
 * @property {Table} valid step and the validation metrics
 * @property {() => number} run The number of the run that the tables are of.
 * @property {() => Columns | null} ghost The run before this one.
 * @property {(fn: () => void, signal: AbortSignal) => void} subscribe
 */

// The points kept until a snapshot, thinned in Python, takes their place: several for each pixel
// of a large screen, and few enough to be smoothed at every update.
const MOST_POINTS = 40_000;
const RESYNC_AGAIN_MS = 2000;

/**
 * @param {import("../shared/protocol.js").Model} model
 * @param {import("../shared/protocol.js").Client} client
 * @param {AbortSignal} signal
 * @returns {RunData}
 */
export function createRunData(model, client, signal) {
  const table = createTable("step");
  const valid = createTable("step");
  /** @type {Columns | null} */
  let ghost = null;
  let run = -1;
  /** Of what the column of rates is. @type {string | null | undefined} */
  let address;
  /** The run whose predecessor the ghost is: only snapshots bring it. */
  let ghostRun = -1;
  let seq = 0;
  let complete = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** @type {import("../shared/listeners.js").Listeners<[]>} */
  const listeners = createListeners();

  function onSnapshot() {
    /** @type {Partial<import("../shared/traits.js").HistorySnapshot> | null} */
    const snapshot = model.get("_history");
    if (snapshot?.run === undefined) {
      return;
    }
    if (snapshot.run < run) {
      return;
    }
    const watches = snapshot.address !== address;
    address = snapshot.address;
    if (snapshot.run !== ghostRun || watches) {
      ghostRun = snapshot.run;
      ghost = snapshot.ghost ? decodeAll(snapshot.ghost) : null;
    }
    const theirs = snapshot.seq ?? 0;
    // What the deltas built is finer than any snapshot: it stays as long as nothing is missing.
    const same = snapshot.run === run && !watches;
    const keeps = same && complete && seq >= theirs && table.length <= MOST_POINTS;
    if (!keeps) {
      run = snapshot.run;
      seq = theirs;
      complete = true;
      table.replace(decodeAll(snapshot.columns));
      valid.replace(decodeAll(snapshot.valid));
    }
    listeners.tell();
  }

  function resync() {
    complete = false;
    const now = Date.now();
    if (now - askedAt >= RESYNC_AGAIN_MS) {
      askedAt = now;
      client.request("resync", { stream: "train" }).catch(() => {});
    }
  }

  model.on("change:_history", onSnapshot);
  onAbort(signal, () => {
    model.off("change:_history", onSnapshot);
    listeners.clear();
  });
  client.onDelta(
    "train",
    (delta) => {
      const theirs = delta.run ?? run;
      if (theirs < run || (theirs === run && delta.seq <= seq)) {
        return;
      }
      if (theirs === run && delta.address !== undefined && delta.address !== address) {
        // Of what was watched before: the snapshot that has come has its rows.
        return;
      }
      if (theirs > run) {
        run = theirs;
        address = delta.address;
        seq = 0;
        complete = true;
        table.replace({});
        valid.replace({});
      }
      if (delta.seq > seq + 1) {
        resync();
      }
      seq = delta.seq;
      if (delta.cut !== undefined) {
        table.cut(delta.cut);
        valid.cut(delta.valid_cut ?? delta.cut);
      }
      table.append(delta.columns);
      valid.append(delta.valid);
      listeners.tell();
    },
    signal,
  );
  onSnapshot();

  return {
    table,
    valid,
    run: () => run,
    ghost: () => ghost,
    subscribe: listeners.add,
  };
}
