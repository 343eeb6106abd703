import assert from "node:assert/strict";
import test from "node:test";
import { placeFlags } from "../../js/train/flags.js";
import { metricNames } from "../../js/train/losses.js";
import { usualStretch } from "../../js/train/moves.js";
import { troubleOf } from "../../js/train/panel.js";
import { formatSpeed, timeLeft } from "../../js/train/progress.js";
import { metricRange } from "../../js/train/range.js";
import { rateLabel } from "../../js/train/rates.js";
import { mainAction } from "../../js/train/transport.js";

const run = { state: /** @type {const} */ ("running"), step: 500, total: 2000 };

test("time left is the loop's own figure, else what remains at the present speed", () => {
  assert.equal(timeLeft({ ...run, seconds_left: 12, steps_per_second: 100 }), 12);
  assert.equal(timeLeft({ ...run, seconds_left: null, steps_per_second: 100 }), 15);
  assert.equal(timeLeft({ ...run, seconds_left: null, steps_per_second: null }), null);
  assert.equal(timeLeft({ ...run, seconds_left: null, steps_per_second: 0 }), null);
  assert.equal(timeLeft({ ...run, state: "paused", seconds_left: 12, steps_per_second: 1 }), null);
});

test("a speed has two figures", () => {
  assert.equal(formatSpeed(0.53), "0.5");
  assert.equal(formatSpeed(9.97), "10");
  assert.equal(formatSpeed(1432.4), "1\u202f432");
});

test("one button starts, pauses and resumes", () => {
  assert.equal(mainAction("idle").kind, "train.start");
  assert.equal(mainAction("running").kind, "train.pause");
  assert.equal(mainAction("compiling").kind, "train.pause");
  assert.equal(mainAction("paused").kind, "train.resume");
  for (const state of /** @type {const} */ ([
    "finished",
    "stopped",
    "diverged",
    "failed",
    "finding",
  ])) {
    assert.equal(mainAction(state).possible, false);
  }
});

test("trouble says what to do next", () => {
  const diverged = troubleOf({ state: "diverged", step: 1631, error: "the loss was nan" });
  assert.match(diverged?.title ?? "", /Diverged at step 1\u202f631/);
  assert.equal(diverged?.text, "The loss was nan");
  assert.match(diverged?.next ?? "", /Restart/);
  assert.match(troubleOf({ state: "failed", step: 0, error: null })?.next ?? "", /cell/);
  assert.equal(troubleOf({ state: "running", step: 0, error: null }), null);
});

test("metrics of training and validation, the loss first", () => {
  const train = {
    columns: ["accuracy", "loss", "learning_rate"],
    valid_columns: ["loss", "f1"],
    effective: [],
    reports: [],
  };
  assert.deepEqual(metricNames(train), ["loss", "accuracy", "f1"]);
  const more = { effective: ["head/effective_learning_rate"], reports: ["greedy.scale"] };
  const columns = [...more.reports, ...train.columns, ...more.effective];
  assert.deepEqual(metricNames({ ...train, ...more, columns }), [
    ...["loss", "accuracy", "f1", "greedy.scale"],
  ]);
});

test("a rate beside the curve is called by its group, with its newest value", () => {
  assert.equal(rateLabel("effective_learning_rate", 2e-3), "effective 2e-3");
  assert.equal(rateLabel("head/effective_learning_rate", Number.NaN), "head nan");
});

test("the newest flags keep their labels", () => {
  const edits = Array.from({ length: 30 }, (_, i) => ({ step: 1000 + i, label: "×0.8" }));
  const placed = placeFlags(edits, 2000, 600);
  assert.equal(placed.length, 30);
  assert.deepEqual(
    placed.filter(({ row }) => row !== null).map(({ edit }) => edit.step),
    [1028, 1029],
  );
  assert.equal(placed[0].left, 300);
});

test("a flag at the end turns its label to the left", () => {
  const [flag] = placeFlags([{ step: 1990, label: "cool down" }], 2000, 600);
  assert.equal(flag.flip, true);
  assert.equal(flag.row, 0);
});

test("a tenth of the run, rounded", () => {
  assert.equal(usualStretch(2000), 200);
  assert.equal(usualStretch(450), 50);
  assert.equal(usualStretch(3), 1);
  assert.equal(usualStretch(0), 1);
});

const steps = Array.from({ length: 400 }, (_, i) => i);

test("the range shows the whole of an ordinary run", () => {
  const loss = steps.map((i) => 2.3 * Math.exp(-i / 40) + 0.1);
  const [low, high] = metricRange([loss], false);
  assert.ok(low < 0.1 && high > 2.4);
  const accuracy = steps.map((i) => 1 - Math.exp(-i / 20));
  const [bottom, top] = metricRange([accuracy], false);
  assert.ok(bottom <= 0 && top >= 0.999);
});

test("a run that blew up still shows what came before", () => {
  const loss = steps.map((i) => (i < 380 ? 2.3 * Math.exp(-i / 100) + 0.1 : 10 ** (i - 380)));
  const [, high] = metricRange([loss], false);
  assert.ok(high > 2.3 && high < 10, `high ${high}`);
});

test("a log axis leaves out what has no logarithm", () => {
  const [low, high] = metricRange([[0, -1, 0.01, 1, Number.NaN]], true);
  assert.ok(low > 0 && low < 0.01 && high > 1);
});

test("nothing yet", () => {
  assert.deepEqual(metricRange([[], [Number.NaN]], false), [0, 1]);
});
