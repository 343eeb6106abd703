/**
 * The points of the range test: the snapshot and the deltas after it, put together once per
 * model for every view.
 */

import { decodeAll } from "../shared/codec.js";
import { createListeners, onAbort } from "../shared/listeners.js";
import { createTable } from "../shared/series.js";

/**
 * @typedef {object} SweepData
 * @property {import("../shared/series.js").Table} table learning_rate, loss, smoothed
 * @property {(fn: () => void, signal: AbortSignal) => void} subscribe
 */

/**
 * @param {import("../shared/protocol.js").Model} model
 * @param {import("../shared/protocol.js").Client} client
 * @param {AbortSignal} signal
 * @returns {SweepData}
 */
export function createSweepData(model, client, signal) {
  const table = createTable("learning_rate");
  /** @type {import("../shared/listeners.js").Listeners<[]>} */
  const listeners = createListeners();
  /** The last delta taken in; null accepts any, at the start of a new sweep. @type {number | null} */
  let seq = 0;
  let wasRunning = false;

  function onSnapshot() {
    /** @type {Partial<import("../shared/traits.js").SweepSnapshot> | null} */
    const snapshot = model.get("_sweep");
    table.replace(decodeAll(snapshot?.columns));
    seq = snapshot?.seq ?? 0;
    listeners.tell();
  }

  function onState() {
    const { state, phase } = model.get("_find") ?? {};
    const running = state === "running";
    // A short sweep may be over before it is heard of: then its points are here or on their way.
    if (running && !wasRunning && phase === "sweep") {
      table.replace({});
      seq = null;
      listeners.tell();
    }
    wasRunning = running;
  }

  model.on("change:_sweep", onSnapshot);
  model.on("change:_find", onState);
  onAbort(signal, () => {
    model.off("change:_sweep", onSnapshot);
    model.off("change:_find", onState);
    listeners.clear();
  });
  client.onDelta(
    "find",
    (delta) => {
      if (seq !== null && delta.seq <= seq) {
        return;
      }
      if (seq !== null && delta.seq > seq + 1) {
        client.request("resync", { stream: "find" }).catch(() => {});
      }
      seq = delta.seq;
      table.append(delta.columns);
      listeners.tell();
    },
    signal,
  );
  wasRunning = model.get("_find")?.state === "running";
  onSnapshot();

  return {
    table,
    subscribe: listeners.add,
  };
}
