import assert from "node:assert/strict";
import test from "node:test";
import { createSweepData } from "../../js/find/data.js";
import { createClient } from "../../js/shared/protocol.js";
import { createRunData } from "../../js/train/data.js";
import { createFakeModel, packColumns, packDelta } from "./fake_model.js";

const rows = (/** @type {number[]} */ steps) => ({
  step: Float64Array.from(steps),
  loss: Float32Array.from(steps, (step) => 1 / (step + 1)),
});

const history = (
  /** @type {number} */ run,
  /** @type {number} */ seq,
  /** @type {number[]} */ at,
) => ({
  run,
  seq,
  columns: packColumns(rows(at)),
  valid: {},
  ghost: null,
});

/** @param {Record<string, any>} traits */
function startRun(traits) {
  const fake = createFakeModel(traits);
  const client = createClient(fake.model);
  const controller = new AbortController();
  const data = createRunData(fake.model, client, controller.signal);
  const delta = (
    /** @type {number} */ run,
    /** @type {number} */ seq,
    /** @type {number[]} */ at,
  ) => fake.emit("msg:custom", ...packDelta({ stream: "train", run, seq, columns: rows(at) }));
  return { fake, client, controller, data, delta, steps: () => [...data.table.column("step")] };
}

test("after a reload the snapshot is the history, and deltas go on from it", () => {
  const { data, delta, steps } = startRun({ _history: history(1, 3, [0, 1, 2]) });
  assert.deepEqual(steps(), [0, 1, 2]);
  let told = 0;
  data.subscribe(() => (told += 1), new AbortController().signal);
  delta(1, 3, [1, 2]);
  assert.equal(told, 0);
  delta(1, 4, [3, 4]);
  assert.deepEqual(steps(), [0, 1, 2, 3, 4]);
  assert.equal(told, 1);
});

test("a thinner snapshot does not replace what the deltas built", () => {
  const { fake, delta, steps } = startRun({ _history: history(1, 0, []) });
  delta(1, 1, [0, 1, 2, 3]);
  fake.set("_history", history(1, 1, [0, 3]));
  assert.deepEqual(steps(), [0, 1, 2, 3]);
});

test("a gap is asked for once and filled by the next snapshot", () => {
  const { fake, delta, steps } = startRun({ _history: history(1, 1, [0, 1]) });
  delta(1, 3, [4, 5]);
  delta(1, 4, [6]);
  assert.deepEqual(
    fake.sent.map(({ kind, stream }) => [kind, stream]),
    [["resync", "train"]],
  );
  fake.set("_history", history(1, 4, [0, 1, 2, 3, 4, 5, 6]));
  assert.deepEqual(steps(), [0, 1, 2, 3, 4, 5, 6]);
  delta(1, 5, [7]);
  assert.deepEqual(steps(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a new run begins with its first delta, its ghost comes with the snapshot", () => {
  const { fake, data, delta, steps } = startRun({ _history: history(1, 9, [0, 1, 2]) });
  delta(2, 1, [0]);
  assert.deepEqual(steps(), [0]);
  assert.equal(fake.sent.length, 0);
  delta(1, 10, [3]);
  assert.deepEqual(steps(), [0]);
  fake.set("_history", { ...history(3, 0, []), ghost: packColumns(rows([0, 1])) });
  assert.deepEqual(steps(), []);
  assert.deepEqual([...(data.ghost()?.step ?? [])], [0, 1]);
});

test("the ghost of a run whose first delta was faster than its snapshot", () => {
  const { fake, data, delta, steps } = startRun({ _history: history(1, 9, [0, 1]) });
  delta(2, 1, [0]);
  fake.set("_history", { ...history(2, 1, [0]), ghost: packColumns(rows([0, 1])) });
  assert.deepEqual([...(data.ghost()?.step ?? [])], [0, 1]);
  assert.deepEqual(steps(), [0]);
});

test("nothing listens any more after the model has gone", () => {
  const { fake, client, controller } = startRun({ _history: history(1, 0, []) });
  controller.abort();
  client.dispose();
  assert.equal(fake.listening(), 0);
});

test("a widget without a run has an empty history", () => {
  assert.deepEqual(startRun({}).steps(), []);
});

const rungs = (/** @type {number[]} */ rates) => ({
  learning_rate: Float64Array.from(rates),
  loss: Float64Array.from(rates, () => 1),
  smoothed: Float64Array.from(rates, () => 1),
});

test("a sweep grows by deltas, is replaced by snapshots and begins anew", () => {
  const fake = createFakeModel({
    _find: { state: "done" },
    _sweep: { seq: 5, columns: packColumns(rungs([1, 2, 3])) },
  });
  const client = createClient(fake.model);
  const controller = new AbortController();
  const sweep = createSweepData(fake.model, client, controller.signal);
  const rates = () => [...sweep.table.column("learning_rate")];
  const delta = (/** @type {number} */ seq, /** @type {number[]} */ at) =>
    fake.emit("msg:custom", ...packDelta({ stream: "find", seq, columns: rungs(at) }));
  assert.deepEqual(rates(), [1, 2, 3]);

  fake.set("_find", { state: "running", phase: "sweep" });
  assert.deepEqual(rates(), []);
  delta(1, [1, 2]);
  delta(2, [3]);
  delta(2, [3]);
  assert.deepEqual(rates(), [1, 2, 3]);
  delta(4, [5]);
  assert.equal(fake.sent[0].kind, "resync");
  fake.set("_sweep", { seq: 4, columns: packColumns(rungs([1, 2, 3, 4, 5])) });
  assert.deepEqual(rates(), [1, 2, 3, 4, 5]);
});

test("a sweep of several seeds brings its band, and the next one of one seed has none", () => {
  const one = { learning_rate: Float64Array.of(1, 2), loss: Float32Array.of(3, 4) };
  const several = { ...one, band_low: Float32Array.of(2, 3), band_high: Float32Array.of(4, 6) };
  const fake = createFakeModel({
    _find: { state: "done" },
    _sweep: { seq: 1, columns: packColumns(several) },
  });
  const client = createClient(fake.model);
  const sweep = createSweepData(fake.model, client, new AbortController().signal);
  assert.deepEqual([...sweep.table.column("band_high")], [4, 6]);
  fake.set("_find", { state: "running", phase: "sweep" });
  fake.emit("msg:custom", ...packDelta({ stream: "find", seq: 2, columns: one }));
  assert.deepEqual([...sweep.table.column("loss")], [3, 4]);
  assert.equal(sweep.table.column("band_high").length, 0);
});

test("a sweep that is over before it is heard of keeps its points", () => {
  const points = { learning_rate: Float64Array.of(1, 2), loss: Float32Array.of(3, 4) };
  const fake = createFakeModel({ _find: { state: "done" }, _sweep: { seq: 1, columns: {} } });
  const client = createClient(fake.model);
  const sweep = createSweepData(fake.model, client, new AbortController().signal);
  fake.set("_sweep", { seq: 2, columns: packColumns(points) });
  fake.set("_find", { state: "running", phase: "probes" });
  assert.deepEqual([...sweep.table.column("learning_rate")], [1, 2]);
});
