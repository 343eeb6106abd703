import assert from "node:assert/strict";
import test from "node:test";
import { createClient } from "../../js/shared/protocol.js";
import { smooth } from "../../js/shared/series.js";
import { readTrain } from "../../js/shared/traits.js";
import { createBranches, createSlots, lookOf } from "../../js/train/branches.js";
import { createRunData } from "../../js/train/data.js";
import { bestLine, fanText } from "../../js/train/fan.js";
import { parseCandidates } from "../../js/train/fan_rates.js";
import { forkText } from "../../js/train/forks.js";
import { previewText } from "../../js/train/preview.js";
import { createFakeModel, packColumns, packDelta } from "./fake_model.js";

const rows = (/** @type {number[]} */ steps, value = 1) => ({
  step: Float64Array.from(steps),
  loss: Float32Array.from(steps, () => value),
  learning_rate: Float32Array.from(steps, () => 0.1),
});

/** @param {number[]} at */
function startRun(at, address = "sgd.learning_rate") {
  const snapshot = (
    /** @type {number[]} */ steps,
    /** @type {number} */ seq,
    watched = address,
  ) => ({
    ...{ run: 1, seq, address: watched, ghost: null },
    columns: packColumns(rows(steps)),
    valid: packColumns({ step: Float64Array.from(steps.filter((step) => step % 2 === 1)) }),
  });
  const fake = createFakeModel({ _history: snapshot(at, 1) });
  const client = createClient(fake.model);
  const data = createRunData(fake.model, client, new AbortController().signal);
  return {
    ...{ fake, data, snapshot },
    steps: () => [...data.table.column("step")],
    valid: () => [...data.valid.column("step")],
    delta(/** @type {number[]} */ steps, /** @type {any} */ more) {
      const [message, buffers] = packDelta({
        ...{ stream: "train", run: 1, seq: more.seq },
        columns: steps.length > 0 ? rows(steps) : {},
      });
      fake.emit("msg:custom", { ...message, address, ...more }, buffers);
    },
  };
}

test("a rewind cuts both tables before its rows are appended", () => {
  const { delta, steps, valid } = startRun([0, 1, 2, 3, 4, 5]);
  delta([3], { seq: 2, cut: 3, valid_cut: 4 });
  assert.deepEqual(steps(), [0, 1, 2, 3]);
  assert.deepEqual(valid(), [1, 3]);
  delta([], { seq: 3, cut: 1, valid_cut: 1 });
  assert.deepEqual(steps(), [0]);
  assert.deepEqual(valid(), []);
});

test("another hyperparameter replaces every row, and late rows of the old one are dropped", () => {
  const { fake, data, snapshot, delta, steps } = startRun([0, 1, 2, 3]);
  delta([4], { seq: 2 });
  fake.set("_history", snapshot([0, 2, 4], 3, "sgd.momentum"));
  assert.deepEqual(steps(), [0, 2, 4]);
  delta([5], { seq: 4 });
  assert.deepEqual(steps(), [0, 2, 4]);
  delta([5], { seq: 4, address: "sgd.momentum" });
  assert.deepEqual(steps(), [0, 2, 4, 5]);
  assert.equal(data.run(), 1);
});

/** @param {any[]} lines */
const branches = (lines, run = 1) => ({
  ...{ seq: 1, run, address: null },
  lines: lines.map(({ columns, ...line }) => ({ ...line, columns: packColumns(columns) })),
});
const fork = (/** @type {string} */ id, step = 0) => ({
  ...{ id, name: `fork ${id}`, step, state: /** @type {const} */ ("running") },
  ...{ position: step, total: 100, loss: null, parent: null },
});

test("lines keep their looks while others come and go", () => {
  const slots = createSlots();
  assert.deepEqual(["a", "b", "a"].map(slots.of), [0, 1, 0]);
  slots.keep(["b"]);
  assert.deepEqual(["b", "c"].map(slots.of), [1, 0]);
  assert.notDeepEqual(lookOf(0), lookOf(1));
  assert.equal(lookOf(-1).color, "muted");
});

test("lines go on from the run's own average and hold only what they have", () => {
  const line = { ...rows([10, 11, 12], 5), rate: Float32Array.of(0.1, Number.NaN, 0.3) };
  const trait = branches([
    { id: "1", kind: "fork", name: "fork 1", step: 10, columns: line },
    { id: "c1", kind: "fan", name: "×2", step: 10, columns: rows([10, 14]) },
    { id: "a3", kind: "abandoned", name: "until 12", step: 10, columns: { step: line.step } },
  ]);
  const data = createBranches(() => trait);
  data.update(readTrain({ run: 1, forks: [fork("0"), fork("1")] }));
  const main = { x: [8, 9, 10], y: [1, 1, 1] };
  const [first, fan, ...none] = data.smoothed("loss", 2, main);
  assert.deepEqual(none, []);
  assert.deepEqual([first.slot, fan.slot], [1, 1]);
  assert.ok(first.y[0] > 1 && first.y[0] < first.y[1] && first.y[2] < 5);
  assert.equal(data.smoothed("loss", 2, main)[0], first);
  assert.equal(data.end(), 14);
  assert.deepEqual(
    data.rates().map(({ x }) => [...x]),
    [[10, 12]],
  );
  // Of another run than is shown.
  data.update(readTrain({ run: 2 }));
  assert.deepEqual(data.smoothed("loss", 2, main), []);
  data.update(readTrain({ run: 1 }));
  assert.equal(data.smoothed("loss", 2, main).length, 2);
});

test("no lines before any have come", () => {
  for (const trait of [null, undefined, {}, branches([], 0)]) {
    const data = createBranches(() => trait);
    data.update(readTrain({}));
    assert.deepEqual(data.smoothed("loss", 2, { x: [], y: [] }), []);
    assert.equal(data.end(), 0);
  }
});

test("an average that goes on from another begins near it", () => {
  assert.ok(Math.abs(smooth([10], [5], 4)[0] - 5) < 1e-9);
  const [value] = smooth([10], [5], 4, { x: 9, y: 1 });
  assert.ok(value > 1 && value < 3);
});

test("rates to try are factors or rates", () => {
  assert.deepEqual(parseCandidates("×¼ ×½ ×2 ×4"), { factors: [0.25, 0.5, 2, 4] });
  assert.deepEqual(parseCandidates("x0.5, × 2; *1/4"), { factors: [0.5, 2, 0.25] });
  assert.deepEqual(parseCandidates("1e-3 3e-3"), { rates: [1e-3, 3e-3] });
  for (const text of ["", "×2", "×2 1e-3", "×2 ×a", "-1 2", "1 2 3 4 5 6 7 8 9 10 11 12 13"]) {
    assert.ok("error" in parseCandidates(text), text);
  }
});

test("a fan says where it is and what can be done", () => {
  const fan = {
    ...{ state: /** @type {const} */ ("running"), step: 812, steps: 50, done: 0.4, error: null },
    candidates: [
      { label: "×2", loss: 1, diverged: false },
      { label: "×4", loss: null, diverged: true },
    ],
    best: null,
  };
  assert.match(fanText(fan), /2 rates from step 812: 40 % of 50 steps/);
  assert.match(fanText({ ...fan, state: "done", done: 1 }), /Take one/);
  assert.match(fanText({ ...fan, state: "failed", error: "no memory" }), /no memory/);
  assert.match(fanText({ ...fan, state: "stopped" }), /^Stopped after 40 %/);
  assert.equal(bestLine(fan), null);
  assert.equal(bestLine({ ...fan, best: 1 }), "c1");
  assert.equal(bestLine(null), null);
});

test("a fork says where it left and how far it is", () => {
  const all = [fork("1", 40), { ...fork("2", 60), state: /** @type {const} */ ("finished") }];
  assert.equal(forkText(all[0], all), "left at 40, training 40 / 100");
  assert.equal(forkText(all[1], all), "left at 60, finished at 60");
  assert.match(forkText({ ...all[1], parent: "1" }, all), /left of fork 1 at 60/);
});

test("a preview says what changes", () => {
  const flat = (/** @type {number} */ value) => ({
    ...{ node: /** @type {const} */ ("segment"), shape: "constant", steps: 100 },
    parameters: { value },
  });
  const train = { plan: flat(0.1), total: 100, held: null };
  const shown = { label: "×½", plan: flat(0.05), total: 100, step: 41 };
  assert.equal(previewText(shown, train), "×½ from step 41: 0.1 → 0.05");
  assert.equal(
    previewText({ ...shown, plan: flat(0.1), total: 1200 }, train),
    "×½ from step 41: 100 → 1\u202f200 steps",
  );
  assert.match(previewText(shown, { ...train, held: 0.3 }), /0\.3 → 0\.05/);
});
