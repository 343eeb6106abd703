import assert from "node:assert/strict";
import test from "node:test";
import { linearSplits, logSplits, paddedRange } from "../../js/shared/scale.js";

test("linear ticks are round and inside", () => {
  assert.deepEqual(linearSplits(0, 2000, 9), [0, 500, 1000, 1500, 2000]);
  assert.deepEqual(linearSplits(0, 0.35, 4), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(linearSplits(-0.1, 0.1, 4), [-0.1, -0.05, 0, 0.05, 0.1]);
  assert.deepEqual(linearSplits(3, 3, 4), [3]);
});

test("ticks of steps are whole", () => {
  assert.deepEqual(linearSplits(0, 2, 10, true), [0, 1, 2]);
});

test("a log axis over many decades shows powers of ten, also from an odd lower end", () => {
  assert.deepEqual(logSplits(1e-7, 10, 20), [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10]);
  assert.deepEqual(logSplits(3e-6, 5, 20), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]);
  assert.deepEqual(logSplits(1e-7, 10, 5), [1e-6, 1e-4, 1e-2, 1]);
});

test("a log axis over little shows 1, 2, 5 or linear ticks", () => {
  assert.deepEqual(logSplits(0.8, 12, 8), [1, 2, 5, 10]);
  assert.deepEqual(logSplits(2.1, 2.9, 4), [2.2, 2.4, 2.6, 2.8]);
});

test("a range is never empty", () => {
  for (const [low, high, log] of /** @type {[number, number, boolean][]} */ ([
    [1, 1, false],
    [0, 0, false],
    [1, 1, true],
    [Number.NaN, Number.NaN, false],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true],
  ])) {
    const [from, to] = paddedRange(low, high, log);
    assert.ok(from < to && Number.isFinite(from) && Number.isFinite(to));
    assert.ok(!log || from > 0);
  }
});
