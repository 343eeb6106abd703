import assert from "node:assert/strict";
import test from "node:test";
import { statusOf } from "../../js/shared/status.js";
import { readTrain } from "../../js/shared/traits.js";
import { flagText, placeFlags } from "../../js/train/flags.js";
import { whyBound, whyFixed } from "../../js/train/gates.js";
import { journalCells } from "../../js/train/journal.js";
import { metricNames } from "../../js/train/losses.js";
import { reasonText, routeText } from "../../js/train/moment.js";
import { parseAt } from "../../js/train/more_moves.js";
import { parseValue } from "../../js/train/moves.js";
import { extentOf } from "../../js/train/panel.js";
import { formatSpeed, keptText, timeLeft } from "../../js/train/progress.js";
import { metricRange } from "../../js/train/range.js";
import { rateLabel, watchedName } from "../../js/train/rates.js";
import { parseWhole, usualStretch } from "../../js/train/step_field.js";
import { placeDots, ROOM } from "../../js/train/timeline_dots.js";
import { mainAction } from "../../js/train/transport.js";
import { troubleOf, waysBack } from "../../js/train/trouble.js";

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
  const error = "the loss was nan at step 1631: start again";
  const diverged = readTrain({ state: "diverged", step: 1632, error });
  assert.match(troubleOf(diverged)?.title ?? "", /Diverged at step 1\u202f631/);
  assert.equal(troubleOf(diverged)?.text, "The loss was nan at step 1631.");
  assert.match(troubleOf(diverged)?.next ?? "", /^Lower .* Restart/);
  assert.match(troubleOf({ ...diverged, able: ["rewind"] })?.next ?? "", /^Rewind/);
  assert.match(troubleOf(readTrain({ state: "failed" }))?.next ?? "", /cell/);
  assert.equal(troubleOf(readTrain({ state: "running" })), null);
  // A guard that pauses leaves a run that looks like any other that rests.
  const paused = readTrain({ state: "paused", notice: "diverged at 631", guard: "pauses" });
  assert.equal(troubleOf(paused)?.title, "Diverged at 631");
  assert.equal(troubleOf({ ...paused, notice: null }), null);
  assert.equal(troubleOf({ ...paused, guard: "rolls back" }), null);
});

test("from a trouble one goes back to the newest good snapshot, or to the best", () => {
  const snapshots = [0, 400, 600, 631].map((step) => ({
    step,
    reason: step === 631 ? "end" : "interval",
  }));
  const at = (/** @type {number | null} */ best, step = 631) =>
    waysBack({
      snapshots,
      step,
      state: "diverged",
      best: best === null ? null : { step: best, value: 1 },
    }).map((each) => each.step);
  assert.deepEqual(at(null), [600]);
  assert.deepEqual(at(400), [600, 400]);
  assert.deepEqual(at(600), [600]);
  assert.deepEqual(at(null, 0), [0]);
  const none = { snapshots: [], step: 5, best: null };
  assert.deepEqual(waysBack({ ...none, state: "diverged" }), []);
  assert.equal(waysBack({ ...none, state: "failed" })[0].step, 5);
});

test("what a run cannot do is said, and the most general reason first", () => {
  const running = readTrain({ state: "running", run: 1, able: ["rewind"] });
  assert.equal(whyFixed(running, true), null);
  assert.equal(whyBound(running, true), null);
  assert.match(whyFixed(running, false) ?? "", /kernel/);
  assert.match(whyFixed({ ...running, off: "on disk" }, true) ?? "", /on disk/);
  assert.match(whyFixed(readTrain({}), true) ?? "", /Start/);
  const diverged = { ...running, state: /** @type {const} */ ("diverged") };
  assert.match(whyFixed(diverged, true) ?? "", /over/);
  assert.equal(whyBound(diverged, true), null);
  assert.match(whyBound({ ...running, able: [] }, true) ?? "", /snapshots/);
});

test("a state from before this version still has every part", () => {
  const old = readTrain(/** @type {any} */ ({ run: 1, state: "running", plan: {} }));
  assert.equal(old.plan, null);
  for (const name of /** @type {const} */ (["able", "snapshots", "forks", "scheduled", "groups"])) {
    assert.deepEqual(old[name], []);
  }
  assert.equal(extentOf({ ...old, total: 20, step: 3 }, 0), 20);
  assert.equal(keptText(old), "");
});

test("the axis reaches to whatever goes furthest", () => {
  const at = { total: 2000, step: 812, forks: [], fan: null };
  const fork = /** @type {any} */ ({ position: 2300 });
  assert.equal(extentOf(at, 0), 2000);
  assert.equal(extentOf({ ...at, forks: [fork] }, 0), 2300);
  assert.equal(extentOf({ ...at, fan: /** @type {any} */ ({ step: 1990, steps: 50 }) }, 0), 2040);
  assert.equal(extentOf(at, 2500), 2500);
});

test("the status tells what the guard did, once", () => {
  const client = { pending: [], busy: false, gone: false };
  const find = /** @type {any} */ ({ state: "idle" });
  const text = (/** @type {any} */ train) => statusOf(client, find, readTrain(train)).text;
  const rolled = "diverged at 631, rolled back to 600";
  assert.equal(
    text({ state: "running", step: 640, total: 2000, notice: rolled }),
    `training 640 / 2\u202f000 · ${rolled}`,
  );
  assert.equal(
    text({ state: "diverged", step: 632, notice: "diverged at 631" }),
    "diverged at 631",
  );
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

const edit = (/** @type {number} */ step, label = "×0.8", more = {}) => ({
  step,
  label,
  source: "widget",
  ...more,
});

test("the newest flags keep their labels, and lines do not become a wall", () => {
  const edits = Array.from({ length: 30 }, (_, i) => edit(1000 + i));
  const placed = placeFlags(edits, 2000, 600);
  assert.deepEqual(
    placed.filter(({ row }) => row !== null).map((flag) => flag.edit.step),
    [1028, 1029],
  );
  assert.ok(placed.length <= 4, `${placed.length} lines within nine pixels`);
  assert.equal(placeFlags([edit(0), edit(1000)], 2000, 600)[1].left, 300);
});

test("what was undone gives way, and signs tell the kinds apart", () => {
  const undone = edit(510, "×0.8", { undone: true });
  const placed = placeFlags([edit(500), edit(505), undone], 2000, 600);
  assert.deepEqual(
    placed.map(({ row }) => row),
    [1, 0],
  );
  const texts = ["edit", "guard", "rewind", "fork"].map((kind) => flagText(edit(0, "x", { kind })));
  assert.equal(new Set(texts).size, 4);
});

test("a flag at the end turns its label to the left", () => {
  const [flag] = placeFlags([edit(1990, "cool down")], 2000, 600);
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

test("single spikes at the start do not squash the rest", () => {
  const loss = steps.map((i) => (i % 13 === 2 && i < 40 ? 40 : 2.3 * Math.exp(-i / 100) + 0.1));
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

test("lines beside the run widen the range, but not beyond twice its size", () => {
  const own = [1, 2];
  assert.deepEqual(metricRange([own], false, []), metricRange([own], false));
  const [low, high] = metricRange([own], false, [[0.9, 2.2]]);
  assert.ok(low < 0.9 && high > 2.2 && high < 2.4);
  assert.ok(metricRange([own], false, [[1, 1e9]])[1] < 3);
  assert.ok(metricRange([own], true, [[1, 1e9]])[1] < 10);
  assert.ok(metricRange([], false, [[3, 4]])[1] > 4);
});

test("dots that would hide each other leave room to what says more", () => {
  const at = (/** @type {number} */ step, reason = "interval") => ({ step, reason });
  const width = 600;
  const steps = (/** @type {any[]} */ all, /** @type {number | null} */ kept = null) =>
    placeDots(all, 2000, width, kept).map(({ step }) => step);
  const many = Array.from({ length: 200 }, (_, i) => at(i * 10));
  const placed = steps(many);
  assert.ok(placed.length <= width / ROOM + 1);
  for (const [i, step] of placed.slice(1).entries()) {
    assert.ok(((step - placed[i]) * width) / 2000 >= ROOM - 1e-9);
  }
  assert.deepEqual(steps([at(0, "start"), at(800), at(810, "best")]), [0, 810]);
  assert.deepEqual(steps([at(800), at(810, "best")], 800), [800]);
});

test("a step of the past is reached from a snapshot, with or without a replay", () => {
  const train = {
    snapshots: [
      { step: 0, reason: "start" },
      { step: 600, reason: "edit" },
      { step: 800, reason: "interval" },
    ],
    best: { step: 800, value: 0.38 },
  };
  assert.match(routeText(600, train), /^Snapshot: .*edit/);
  assert.match(routeText(612, train), /^12 steps replayed .* 600$/);
  assert.match(routeText(1, train), /^1 step replayed .* 0$/);
  assert.equal(routeText(1, { ...train, snapshots: [] }), "");
  assert.match(reasonText(train.snapshots[2], train), /best.*0\.38/);
});

test("steps are whole, and those to come lie between now and the end", () => {
  const train = { step: 812, total: 2000, steps_per_epoch: 100 };
  assert.equal(parseWhole("2ep", train).value, 200);
  assert.equal(parseWhole("10%", train).value, 200);
  assert.match(parseWhole("0", train).error ?? "", /at least 1 step$/);
  assert.match(parseWhole("813", train, 0, 812).error ?? "", /from 0 to 812/);
  assert.deepEqual(parseAt("  ", train), { value: null });
  assert.equal(parseAt("1200", train).value, 1200);
  for (const text of ["812", "2000", "now"]) {
    assert.ok(parseAt(text, train).error, text);
  }
});

test("a value to hold stays in the range of what is watched", () => {
  const momentum = { address: "sgd.momentum", short: "momentum", low: 0, high: 1, held: null };
  const train = { plan: null, address: "sgd.momentum", addresses: [momentum] };
  assert.equal(parseValue("0.9", train).value, 0.9);
  assert.match(parseValue("1.5", train).error ?? "", /≤ 1/);
  assert.match(parseValue("-1", train).error ?? "", /≥ 0/);
  assert.match(parseValue("-1", { ...train, addresses: [] }).error ?? "", /≥ 0/);
});

test("what is watched is called by its name, with its place where that is needed", () => {
  const one = (/** @type {string} */ address, short = address.split(".")[1]) => ({
    address,
    short,
    low: 0,
    high: null,
    held: null,
  });
  const addresses = [one("sgd.learning_rate"), one("a.multiplier"), one("b.multiplier")];
  assert.equal(watchedName({ address: "sgd.learning_rate", addresses }), "learning rate");
  assert.equal(watchedName({ address: "b.multiplier", addresses }), "b.multiplier");
  assert.equal(watchedName({ address: null, addresses: [] }), "learning rate");
});

test("the journal has a text for each column", () => {
  const entry = { step: 1200, seconds: 3.2, text: "learning rate", from: "0.1", to: "0.05" };
  assert.deepEqual(journalCells({ ...entry, source: "widget" }), [
    ...["1\u202f200", "3.2 s", "learning rate", "0.1 → 0.05", "hand"],
  ]);
  assert.deepEqual(journalCells({ step: 0, seconds: 0, text: "paused" }).slice(2), [
    ...["paused", "", ""],
  ]);
  assert.equal(journalCells({ ...entry, from: "", source: "guard" })[3], "0.05");
});
