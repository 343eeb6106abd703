/**
 * What all views of one model share: the line to Python, the points of sweep and run, and the
 * view state that Python keeps over a reload.
 */

import { createSweepData } from "../find/data.js";
import { createClient } from "../shared/protocol.js";
import { createStore } from "../shared/store.js";
import { createRunData } from "../train/data.js";

/** @typedef {import("../shared/protocol.js").Model} Model */
/** @typedef {Record<string, any>} ViewState plain JSON, each panel its own keys */

/**
 * @typedef {object} Hub
 * @property {Model} model
 * @property {import("../shared/protocol.js").Client} client
 * @property {import("../shared/store.js").Store<ViewState>} store
 * @property {import("../find/data.js").SweepData} sweep
 * @property {import("../train/data.js").RunData} run
 * @property {() => void} dispose Safe to call twice.
 */

const SAVE_AFTER_MS = 250;
const LISTEN_EVERY_MS = 5000;

/**
 * @param {Model} model
 * @returns {Hub}
 */
export function createHub(model) {
  const controller = new AbortController();
  const { signal } = controller;
  const client = createClient(model);
  /** @type {import("../shared/store.js").Store<ViewState>} */
  const store = createStore({ ...model.get("_view") });

  let timer = 0;
  let unsaved = 0;
  let adopting = false;

  async function save() {
    timer = 0;
    unsaved += 1;
    try {
      await client.request("view", { state: store.get() });
    } catch {
      // Only the memory of it is lost: the page itself goes on as the person set it.
    } finally {
      unsaved -= 1;
    }
  }

  store.subscribe(() => {
    if (!adopting && timer === 0) {
      timer = setTimeout(save, SAVE_AFTER_MS);
    }
  }, signal);

  function adopt() {
    // Another page changed the view. What this page is about to say itself comes first, or an
    // echo of an older state would undo the newer one.
    if (timer === 0 && unsaved === 0) {
      adopting = true;
      store.set({ ...model.get("_view") });
      adopting = false;
    }
  }

  // A kernel that dies while it trains says nothing: silence then is a reason to ask.
  const listening = setInterval(() => {
    const states = [model.get("_train")?.state, model.get("_find")?.state];
    if (states.includes("running") || states.includes("compiling")) {
      client.probe();
    }
  }, LISTEN_EVERY_MS);

  model.on("change:_view", adopt);
  const sweep = createSweepData(model, client, signal);
  const run = createRunData(model, client, signal);
  client.request("ready").catch(() => {});

  return {
    model,
    client,
    store,
    sweep,
    run,
    dispose() {
      controller.abort();
      clearTimeout(timer);
      clearInterval(listening);
      model.off("change:_view", adopt);
      client.dispose();
    },
  };
}
