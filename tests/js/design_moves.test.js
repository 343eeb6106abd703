import assert from "node:assert/strict";
import { test } from "node:test";

import {
  addKnot,
  bend,
  dropKnots,
  knotOf,
  shiftKnot,
  shiftSegment,
  spanning,
} from "../../js/design/moves.js";
import { borders, evaluate, partsOf, refused, steps } from "../../js/schedule/model.js";
import {
  catalogue,
  constant,
  cosine,
  join,
  linear,
  segment,
  warmupCosine,
} from "./schedule_catalogue.js";

/** @param {any} node @param {number | null} [locked] @param {number} [furthest] @returns {any} */
const scene = (node, locked = null, furthest = 1e9) => ({ catalogue, node, locked, furthest });
/** @param {number} fromEnd @param {any} [side] @returns {any} */
const knot = (fromEnd, side = "both") => ({ fromEnd, side });
/** @param {any} result @returns {any} */
const ok = (result) => {
  assert.ok(!refused(result), JSON.stringify(result));
  return result;
};

test("a knot goes as far as its neighbours and its range allow", () => {
  const far = ok(shiftKnot(scene(warmupCosine()), knot(1), { step: 9999, value: -1 }, 1e-5));
  assert.deepEqual(borders(far), [1999]);
  assert.equal(evaluate(far, 1999), 0);
  const near = ok(shiftKnot(scene(warmupCosine()), knot(1), { step: -50 }, 1e-5));
  assert.deepEqual(borders(near), [1]);
});

test("an open bound is kept away from", () => {
  const node = segment("exponential", 10, { init_value: 1, end_value: 0.1 });
  const moved = ok(shiftKnot(scene(node), knot(0), { value: 0 }, 1e-3));
  assert.equal(moved.parameters.end_value, 1e-3);
});

test("the first knot does not move along x, the last ends where the run does", () => {
  const node = warmupCosine();
  assert.deepEqual(ok(shiftKnot(scene(node), knot(2), { step: 50 }, 1)), node);
  assert.equal(steps(ok(shiftKnot(scene(node, null, 2100), knot(0), { step: 5000 }, 1))), 2100);
});

test("bending passes through a value, or as near as the exponent allows", () => {
  const bent = ok(bend(scene(warmupCosine()), 1, { value: 1e-3 }));
  assert.ok(Math.abs(evaluate(bent, 1050) - 1e-3) < 1e-5);
  const most = /** @type {any} */ (
    partsOf(ok(bend(scene(warmupCosine()), 1, { parameter: 99 })))[1]
  );
  assert.equal(most.parameters.exponent, 10);
  assert.ok(refused(bend(scene(warmupCosine()), 2, { value: 1e-3 })));
});

test("a constant segment moves along both axes, with what is joined to it", () => {
  const node = join(linear(10, 0, 1), constant(20, 1), linear(10, 1, 0));
  const moved = ok(shiftSegment(scene(node), 2, { by: 5, value: 2 }, 0.1));
  assert.deepEqual(moved, join(linear(15, 0, 2), constant(20, 2), linear(5, 2, 0)));
});

test("in a run an edit leaves the past as it is and goes on from the present", () => {
  const node = warmupCosine();
  const moved = ok(shiftKnot(scene(node, 800), knot(0), { value: 1e-3 }, 1e-5));
  for (const step of [0, 50, 100, 500, 800, 801]) {
    assert.ok(Math.abs(evaluate(moved, step) - evaluate(node, step)) < 1e-15);
  }
  assert.equal(evaluate(moved, 2000), 1e-3);
});

test("in a run later segments are edited without opening the one that runs", () => {
  const node = join(cosine(1000, 3e-3, 1e-3), linear(500, 1e-3, 1e-3), linear(500, 1e-3, 0));
  const moved = ok(shiftKnot(scene(node, 400), knot(0), { value: 5e-4 }, 1e-5));
  assert.equal(partsOf(moved)[0], partsOf(node)[0]);
  assert.equal(spanning(scene(node, 400)), 0);
  assert.equal(spanning(scene(node, 999)), -1);
});

test("in a run a border stays behind the present step", () => {
  const node = join(cosine(1000, 3e-3, 1e-3), linear(1000, 1e-3, 0));
  const moved = ok(shiftKnot(scene(node, 400), knot(1), { step: 0 }, 1e-5));
  assert.equal(borders(moved).at(-1), 402);
});

test("what the run has passed can be neither moved nor split", () => {
  const node = warmupCosine();
  assert.equal(knotOf(scene(node, 100), knot(1)), null);
  assert.ok(refused(shiftKnot(scene(node, 100), knot(1), { value: 1 }, 1e-5)));
  assert.ok(refused(addKnot(scene(node, 800), 800)));
  assert.deepEqual(borders(ok(addKnot(scene(node, 800), 1200))), [100, 801, 1200]);
});

test("the middle of what is left of a segment is bent in a run", () => {
  const node = cosine(2000, 3e-3, 0);
  const bent = ok(bend(scene(node, 999), 1, { value: 1e-3 }));
  assert.ok(Math.abs(evaluate(bent, 1500) - 1e-3) < 1e-5);
  assert.equal(evaluate(bent, 999), evaluate(node, 999));
});

test("wherever the run is, what is left of a segment can be bent", () => {
  for (const node of [cosine(2000, 3e-3, 0), warmupCosine()]) {
    for (let locked = 110; locked < 1900; locked += 90) {
      const middle = (locked + 2001) / 2;
      const value = evaluate(node, middle) / 2;
      const bent = ok(bend(scene(node, locked), 1, { value }));
      assert.ok(Math.abs(evaluate(bent, locked) - evaluate(node, locked)) < 1e-15);
      assert.ok(Math.abs(evaluate(bent, middle) - value) < 0.02 * value);
    }
  }
});

test("a held level does not drag the past along", () => {
  const node = join(linear(100, 0, 1e-3), constant(1000, 1e-3));
  const moved = ok(shiftKnot(scene(node, 500), knot(0), { value: 2e-3 }, 1e-5));
  assert.equal(evaluate(moved, 300), 1e-3);
  assert.equal(evaluate(moved, 501), 2e-3);
});

test("dropping a knot joins its neighbours", () => {
  const node = join(linear(10, 0, 1), linear(10, 1, 3));
  assert.deepEqual(ok(dropKnots(scene(node), [knot(1)])), linear(20, 0, 3));
});
