import assert from "node:assert/strict";
import test from "node:test";
import { BUSY_TEXT, GONE_TEXT, statusOf } from "../../js/shared/status.js";
import { createStore } from "../../js/shared/store.js";
import { readFind, readTrain } from "../../js/shared/traits.js";

const calm = { pending: [], busy: false, gone: false };
const at = (/** @type {any} */ train, client = calm, /** @type {any} */ find = {}) =>
  statusOf(client, readFind(find), readTrain(train));

test("the chip says what the run does", () => {
  const place = { step: 812, total: 2000 };
  for (const [state, text] of [
    ["idle", "idle"],
    ["compiling", "compiling the training step…"],
    ["running", "training 812 / 2\u202f000"],
    ["paused", "paused at 812 / 2\u202f000"],
    ["finished", "finished 812 steps"],
    ["stopped", "stopped at 812 / 2\u202f000"],
    ["diverged", "diverged at 811"],
    ["failed", "failed at 812"],
    ["finding", "finding…"],
  ]) {
    assert.equal(at({ ...place, state }).text, text);
  }
  assert.equal(at(null).text, "idle");
});

test("the kernel comes before the run, a command before its effect", () => {
  const running = { state: "running", step: 1, total: 2 };
  const pausing = { pending: ["train.set", "train.pause"], busy: false, gone: false };
  assert.equal(at(running, pausing).text, "pausing…");
  assert.equal(at(running, { ...pausing, busy: true }).text, BUSY_TEXT);
  assert.equal(at(running, { ...pausing, busy: true, gone: true }).text, GONE_TEXT);
  assert.equal(at(running, { ...calm, pending: ["view"] }).text, "training 1 / 2");
});

test("a late answer while the step compiles is not the kernel's fault", () => {
  const starting = { pending: ["train.start"], busy: true, gone: false };
  assert.equal(at({ state: "compiling" }, starting).text, "compiling the training step…");
});

test("a search that was stopped says so until it has ended, however long its answer takes", () => {
  const stopping = { state: "running", phase: "probes", progress: 0.3, stopping: true };
  const waiting = { pending: ["find.stop"], busy: true, gone: false };
  for (const client of [calm, waiting]) {
    assert.equal(at({ state: "finding" }, client, stopping).text, "stopping…");
  }
  // Not even heard yet: then it is the kernel that is busy.
  assert.equal(at({}, waiting, { ...stopping, stopping: false }).text, BUSY_TEXT);
});

test("a sweep shows its progress", () => {
  assert.equal(
    at({ state: "finding" }, calm, { state: "running", progress: 0.427 }).text,
    "finding 42 %",
  );
  assert.equal(
    at({ state: "finding" }, calm, { state: "running", phase: "probes", progress: 0.639 }).text,
    "finding: probes 63 %",
  );
});

test("a store tells of changes only, and not after the signal", () => {
  const store = createStore({ tab: "find", zoom: 1 });
  const controller = new AbortController();
  /** @type {string[]} */
  const heard = [];
  store.subscribe(
    (state, previous) => heard.push(`${previous.tab}→${state.tab}`),
    controller.signal,
  );
  store.set({ tab: "find" });
  store.set({ tab: "design" });
  const stop = store.subscribe(() => heard.push("second"));
  stop();
  controller.abort();
  store.set({ tab: "train" });
  assert.deepEqual(heard, ["find→design"]);
  assert.deepEqual(store.get(), { tab: "train", zoom: 1 });
});
