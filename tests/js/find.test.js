import assert from "node:assert/strict";
import test from "node:test";
import { placeLabels } from "../../js/find/marks.js";
import { sweepRange } from "../../js/find/range.js";
import { settingsError } from "../../js/find/settings.js";
import { disagreement } from "../../js/find/suggestions.js";

const rungs = Array.from({ length: 100 }, (_, i) => i / 99);

test("a diverged tail does not flatten the curve", () => {
  const losses = rungs.map((x) => (x < 0.9 ? 2.3 - 1.5 * x : 10 ** ((x - 0.9) * 60)));
  const [low, high] = sweepRange(losses, losses);
  assert.ok(low > 0 && low < 0.97, `low ${low}`);
  assert.ok(high > 2.3 && high < 4, `high ${high}`);
});

test("a loss that only rises still shows its beginning", () => {
  const losses = rungs.map((x) => 2 + Math.exp(12 * x) / 100);
  const [low, high] = sweepRange(losses, losses);
  assert.ok(low <= 2.01 && high > 2.01 && high < 100);
});

test("the first points, none, and NaN", () => {
  for (const losses of [[], [2.3], [2.3, 2.3], [2.3, Number.NaN, 2.1]]) {
    const [low, high] = sweepRange(losses, losses);
    assert.ok(Number.isFinite(low) && low < high);
  }
});

test("labels that would cover each other stand in rows", () => {
  const placed = placeLabels(
    [
      { at: 100, width: 80 },
      { at: 110, width: 80 },
      { at: 115, width: 80 },
      { at: 300, width: 80 },
    ],
    0,
    600,
  );
  assert.deepEqual(
    placed.map(({ row }) => row),
    [0, 1, 2, 0],
  );
});

test("a label at the right end turns to the left and still covers nothing", () => {
  const [first, last] = placeLabels(
    [
      { at: 550, width: 80 },
      { at: 590, width: 80 },
    ],
    0,
    600,
  );
  assert.ok(first.start + 80 <= 600 && last.start + 80 <= 600);
  assert.notEqual(first.row, last.row);
});

test("settings are checked as Python does", () => {
  const good = { low: 1e-7, high: 10, steps: 100 };
  assert.equal(settingsError(good), null);
  assert.equal(settingsError({ ...good, low: 0 })?.field, "low");
  assert.equal(settingsError({ ...good, low: 20 })?.field, "high");
  assert.equal(settingsError({ ...good, steps: 9 })?.field, "steps");
  assert.equal(settingsError({ ...good, steps: 10.5 })?.field, "steps");
});

test("it is said by how much the rules disagree", () => {
  assert.match(disagreement([1.4e-3, 9.1e-3, 2e-3]), /factor of 6\.5, from 1\.4e-3 to 9\.1e-3/);
  assert.match(disagreement([1e-3, 1.02e-3]), /agree on about 1e-3/);
  assert.match(disagreement([1e-3]), /heuristics/);
});
