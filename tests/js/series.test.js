import assert from "node:assert/strict";
import test from "node:test";
import {
  createTable,
  decimate,
  gather,
  lastFinite,
  nearest,
  smooth,
} from "../../js/shared/series.js";

test("a table grows and keeps its rows", () => {
  const table = createTable("step");
  for (let i = 0; i < 5000; i += 1) {
    table.append({ step: Float64Array.of(i), loss: Float32Array.of(i / 2) });
  }
  assert.equal(table.length, 5000);
  assert.equal(table.column("step")[4999], 4999);
  assert.equal(table.column("loss")[4999], 2499.5);
  assert.ok(table.column("loss") instanceof Float32Array);
  assert.deepEqual(table.names(), ["step", "loss"]);
});

test("rows that come again take the place of those there", () => {
  const table = createTable("step");
  table.append({ step: Float64Array.of(0, 1, 2), loss: Float32Array.of(1, 2, 3) });
  table.append({ step: Float64Array.of(1, 2, 3), loss: Float32Array.of(20, 30, 40) });
  assert.deepEqual([...table.column("step")], [0, 1, 2, 3]);
  assert.deepEqual([...table.column("loss")], [1, 20, 30, 40]);
});

test("a column that comes later or stays away has gaps", () => {
  const table = createTable("step");
  table.append({ step: Float64Array.of(0), loss: Float32Array.of(1) });
  table.append({ step: Float64Array.of(1), accuracy: Float32Array.of(0.5) });
  assert.deepEqual([...table.column("loss")], [1, Number.NaN]);
  assert.deepEqual([...table.column("accuracy")], [Number.NaN, 0.5]);
  assert.equal(table.column("unknown").length, 0);
});

test("replace forgets everything, an empty message changes nothing", () => {
  const table = createTable("step");
  table.append({ step: Float64Array.of(0), loss: Float32Array.of(1) });
  table.append({});
  table.append({ step: new Float64Array(0) });
  assert.equal(table.length, 1);
  table.replace({});
  assert.equal(table.length, 0);
  assert.deepEqual(table.names(), []);
});

test("the average of a constant is that constant from the first point on", () => {
  const x = Float64Array.from({ length: 50 }, (_, i) => i);
  const y = new Float64Array(50).fill(3);
  for (const value of smooth(x, y, 10)) {
    assert.ok(Math.abs(value - 3) < 1e-12);
  }
});

test("the average weighs as its formula says", () => {
  const keep = Math.exp(-1 / 4);
  const [first, second, third] = smooth([0, 1, 2], [1, 5, 2], 4);
  assert.equal(first, 1);
  assert.ok(Math.abs(second - (keep * 1 + 5) / (keep + 1)) < 1e-12);
  assert.ok(Math.abs(third - (keep ** 2 * 1 + keep * 5 + 2) / (keep ** 2 + keep + 1)) < 1e-12);
});

test("thinned rows have about the average of all rows", () => {
  const n = 4000;
  const x = Float64Array.from({ length: n }, (_, i) => i);
  const y = x.map((i) => Math.exp(-i / 800));
  const every = (/** @type {Float64Array} */ a) => a.filter((_, i) => i % 10 === 9);
  const whole = every(smooth(x, y, 100));
  const thin = smooth(every(x), every(y), 100);
  for (let i = 20; i < thin.length; i += 1) {
    assert.ok(Math.abs(thin[i] / whole[i] - 1) < 0.02);
  }
});

test("non-finite values are passed over", () => {
  const averaged = smooth([0, 1, 2], [Number.NaN, 2, Number.POSITIVE_INFINITY], 5);
  assert.ok(Number.isNaN(averaged[0]));
  assert.deepEqual([...averaged.slice(1)], [2, 2]);
});

test("few points are all kept", () => {
  assert.deepEqual([...decimate([0, 1, 2], [5, Number.NaN, 7], 10)], [0, 2]);
  assert.deepEqual([...decimate([], [], 10)], []);
});

test("of many points the extremes and the ends stay, in order", () => {
  const n = 100_000;
  const x = Float64Array.from({ length: n }, (_, i) => i);
  const y = x.map((i) => Math.sin(i / 1000));
  y[54_321] = 9;
  y[12_345] = -9;
  y[777] = Number.NaN;
  const kept = decimate(x, y, 400);
  assert.ok(kept.length <= 802);
  assert.equal(kept[0], 0);
  assert.equal(kept.at(-1), n - 1);
  assert.ok(kept.includes(54_321) && kept.includes(12_345) && !kept.includes(777));
  assert.ok(kept.every((value, i) => i === 0 || value > kept[i - 1]));
  assert.deepEqual([...gather(x, kept.slice(0, 2))], [...kept.slice(0, 2)]);
});

test("every pixel shows its own lowest and highest value", () => {
  const n = 1000;
  const x = Float64Array.from({ length: n }, (_, i) => i);
  const y = x.map((i) => (i * 7919) % 101);
  const kept = new Set(decimate(x, y, 10));
  for (let bucket = 0; bucket < 10; bucket += 1) {
    const own = [...x].filter((i) => Math.min(9, Math.floor((i * 10) / (n - 1))) === bucket);
    const low = Math.min(...own.map((i) => y[i]));
    assert.ok(own.some((i) => kept.has(i) && y[i] === low));
  }
});

test("the nearest point", () => {
  assert.equal(nearest([0, 10, 20], 14), 1);
  assert.equal(nearest([0, 10, 20], 16), 2);
  assert.equal(nearest([0, 10, 20], -5), 0);
  assert.equal(nearest([0, 10, 20], 99), 2);
  assert.equal(nearest([], 1), -1);
});

test("the last finite value", () => {
  assert.equal(lastFinite([1, 2, Number.NaN]), 2);
  assert.equal(lastFinite([]), null);
});
