import assert from "node:assert/strict";
import test from "node:test";
import { emptyText, rateAt } from "../../js/find/picking.js";
import { probesText } from "../../js/find/probe_plot.js";
import { fanRange, finalRange, rateResults, readProbes, resultText } from "../../js/find/probes.js";
import { readFind } from "../../js/shared/traits.js";
import { packColumns } from "./fake_model.js";

/**
 * A run as Python sends it.
 *
 * @param {number} rate
 * @param {number} horizon
 * @param {number | null} final
 * @param {Record<string, any>} [more]
 * @returns {any}
 */
const run = (rate, horizon, final, more = {}) => ({
  rate,
  horizon,
  seed: 0,
  diverged: final === null,
  final,
  best: false,
  columns: packColumns({
    step: Float64Array.of(0, horizon - 1),
    loss: Float64Array.of(2, final ?? Number.NaN),
  }),
  ...more,
});
/** @param {any[]} runs */
const runsOf = (...runs) => readProbes({ runs }).runs;

test("without probes there is nothing to show", () => {
  for (const value of [undefined, null, {}, { runs: [] }]) {
    const probes = readProbes(value);
    assert.deepEqual(probes.horizons, []);
    assert.equal(probesText(probes), "no runs yet");
  }
});

test("columns come binary, horizons rise, and a run without an end has diverged", () => {
  const probes = readProbes({
    seq: 1,
    steps: 2000,
    runs: [
      run(1e-3, 200, 0.3),
      run(1e-3, 20, 0.9),
      run(1, 20, null),
      run(2, 20, null, { diverged: false }),
    ],
    fits: [],
    optimum: null,
  });
  assert.deepEqual(probes.horizons, [20, 200]);
  assert.deepEqual([...probes.runs[0].loss], [2, 0.3]);
  assert.deepEqual(
    probes.runs.map(({ diverged }) => diverged),
    [false, false, true, true],
  );
});

test("a rate is told by its longest horizon, as the mean over its seeds", () => {
  const results = rateResults(
    runsOf(
      run(1e-2, 20, null),
      run(1e-3, 20, 0.9),
      run(1e-3, 200, 0.3, { best: true }),
      run(1e-3, 200, 0.5, { seed: 1 }),
      run(1e-4, 20, 1.5),
    ),
  );
  assert.deepEqual(
    results.map(({ rate, horizon }) => [rate, horizon]),
    [
      [1e-4, 20],
      [1e-3, 200],
      [1e-2, 20],
    ],
  );
  assert.equal(resultText(results[1]), "loss 0.4000 after 200 steps, the best");
  assert.equal(resultText(results[2]), "diverged within 20 steps");
});

test("rates that read the same are one button, which takes the best of them", () => {
  const results = rateResults(runsOf(run(1.0001e-3, 20, 0.4), run(1e-3, 60, 0.3, { best: true })));
  assert.equal(results.length, 1);
  assert.equal(results[0].rate, 1e-3);
});

test("a rate that ended far above its start does not press the others flat", () => {
  const { range, log } = finalRange(runsOf(run(1e-4, 20, 1.9), run(1e-3, 20, 1.2), run(1, 20, 80)));
  assert.ok(range[0] < 1.2 && range[1] > 2 && range[1] < 3, `${range}`);
  assert.equal(log, false);
});

test("losses over decades are on a log axis, and those that cannot be are not", () => {
  assert.equal(finalRange(runsOf(run(1e-4, 20, 1.9), run(1e-3, 20, 1e-4))).log, true);
  assert.equal(finalRange(runsOf(run(1e-4, 20, 1.9), run(1e-3, 20, -1))).log, false);
});

test("ranges of nothing, of divergence and of one run are finite", () => {
  for (const runs of [[], runsOf(run(1, 20, null)), runsOf(run(1, 20, 0.5))]) {
    for (const { range } of [finalRange(runs), fanRange(runs)]) {
      assert.ok(Number.isFinite(range[0]) && range[0] < range[1]);
    }
  }
  const [low, high] = fanRange(runsOf(run(1e-3, 20, 0.5), run(1, 20, null))).range;
  assert.ok(low < 0.5 && high > 2 && high < 3);
});

test("a click means the nearest spot, and far from all of them none", () => {
  const spots = [
    { x: 100, y: 50, rate: 1e-3 },
    { x: 110, y: 50, rate: 2e-3 },
  ];
  assert.equal(rateAt(spots, 103, 52), 1e-3);
  assert.equal(rateAt(spots, 107, 52), 2e-3);
  assert.equal(rateAt(spots, 107, 80), null);
  assert.equal(rateAt([], 0, 0), null);
});

test("an empty plot says what it waits for", () => {
  const at = (/** @type {any} */ fields) => emptyText(readFind(fields));
  assert.match(at({ state: "running", phase: "sweep" }), /follow the range test/);
  assert.match(at({ state: "running", phase: "probes" }), /begin/);
  assert.match(at({ state: "done" }), /No short runs/);
});

test("the plot of the probes in words", () => {
  const probes = readProbes({
    runs: [run(1e-3, 20, 0.9), run(1e-3, 200, 0.3, { best: true }), run(1e-2, 20, 1.1)],
    optimum: { rate: 1.2e-3, low: 9e-4, high: 2e-3 },
  });
  assert.equal(
    probesText(probes),
    "3 runs at 2 rates from 1e-3 to 0.01, of 20, 200 steps; best at 1e-3: loss 0.3000 after 200 steps; the fit has its lowest point at 1.2e-3",
  );
});
