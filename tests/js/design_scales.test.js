import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createScale,
  domainFor,
  roundDown,
  stepAtPixel,
  stillFits,
  valueAtPixel,
} from "../../js/design/scales.js";

test("a linear scale maps both ways and goes on beyond its ends", () => {
  const scale = createScale({ domain: [0, 3e-3], range: [200, 0] });
  assert.equal(scale.pixel(0), 200);
  assert.equal(scale.pixel(3e-3), 0);
  assert.ok(Math.abs(scale.value(-100) - 4.5e-3) < 1e-15);
});

test("a log scale is multiplicative and shows zero at its foot", () => {
  const scale = createScale({ domain: [1e-6, 1e-2], range: [200, 0], log: true });
  assert.ok(Math.abs(scale.pixel(1e-4) - 100) < 1e-9);
  assert.equal(scale.pixel(0), 200);
  const [low, high] = [scale.value(150), scale.value(100)];
  assert.ok(Math.abs(high / low - scale.value(50) / high) < 1e-9);
});

test("a linear axis begins at zero and ends round, above the highest value", () => {
  assert.deepEqual(domainFor([0, 3e-3], false), [0, 3.5e-3]);
  assert.deepEqual(domainFor([0], false), [0, 1e-3]);
  const [low, high] = domainFor([-0.2, 0.9], false);
  assert.ok(low <= -0.2 && high >= 0.9);
});

test("a log axis shows three decades of a curve that comes from zero", () => {
  const [low, high] = domainFor([0, 3e-3], true);
  assert.ok(low <= 3e-6 && low >= 1e-7);
  assert.ok(high >= 3e-3 && high <= 1e-2);
  assert.deepEqual(domainFor([0], true).map(Number.isFinite), [true, true]);
  assert.ok(domainFor([1e-300, 1], true)[0] > 1e-11);
});

test("an axis stays while it shows everything from near enough", () => {
  assert.ok(stillFits([0, 3.5e-3], [0, 3e-3], false));
  assert.ok(!stillFits([0, 3.5e-3], [0, 4e-3], false));
  assert.ok(!stillFits([0, 3.5e-3], [0, 1e-3], false));
  assert.ok(!stillFits([0, 3.5e-3], [1e-6, 5e-3], true));
});

test("values and steps under the pointer are as round as a pixel allows", () => {
  const y = createScale({ domain: [0, 3.5e-3], range: [270, 10] });
  assert.equal(valueAtPixel(y, y.pixel(2.4837e-3)), 2.48e-3);
  const log = createScale({ domain: [1e-6, 1e-2], range: [270, 10], log: true });
  assert.equal(valueAtPixel(log, log.pixel(2.4837e-3)), 2.48e-3);
  const x = createScale({ domain: [0, 2000], range: [56, 456] });
  assert.equal(stepAtPixel(x, x.pixel(813)), 815);
  const near = createScale({ domain: [0, 20], range: [56, 456] });
  assert.equal(stepAtPixel(near, near.pixel(7.4)), 7);
});

test("rounding down gives 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual([1, 1.9, 2, 4.9, 5, 9.9, 10, 0.03].map(roundDown), [1, 1, 2, 2, 5, 5, 10, 0.02]);
});
