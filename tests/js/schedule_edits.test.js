import assert from "node:assert/strict";
import { test } from "node:test";

import {
  appendSegment,
  changeShape,
  insertKnot,
  knots,
  moveKnot,
  moveSegment,
  openFuture,
  partsOf,
  refused,
  removeKnot,
  removeSegment,
  resize,
  scale,
  setParameter,
  setSteps,
  solveFree,
} from "../../js/schedule/model.js";
import { catalogue, check, constant, join, warmupCosine } from "./schedule_catalogue.js";

/**
 * Numbers in [0, 1) that are the same in every run.
 *
 * @param {number} seed
 */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * @param {any} node
 * @param {() => number} random
 * @returns {any}
 */
function anyEdit(node, random) {
  const pick = (/** @type {any[]} */ items) => items[Math.floor(random() * items.length)];
  const parts = partsOf(node);
  const index = Math.floor(random() * parts.length);
  const part = parts[index];
  const value = pick([0, -1, 1e-12, random() * 1e-2, random() * 10, Number.NaN]);
  const count = pick([-3, 0, 1, 2, 1.5, Math.floor(random() * 3000)]);
  const held = pick(knots(catalogue, node));
  const shapes = catalogue.shapes.filter((/** @type {any} */ each) => each.twin);
  const inner = part.node === "slice" ? part.part : part;
  return pick([
    () => moveKnot(catalogue, node, held, { value }),
    () => moveKnot(catalogue, node, held, { step: held.lowStep }),
    () => moveKnot(catalogue, node, held, { step: Math.min(held.highStep, 9999), value }),
    () => insertKnot(catalogue, node, count),
    () => removeKnot(catalogue, node, index),
    () => removeSegment(catalogue, node, index),
    () => (parts.length < 12 ? appendSegment(node) : node),
    () => changeShape(catalogue, node, index, pick(shapes).name),
    () =>
      setParameter(
        catalogue,
        node,
        index,
        pick(Object.keys(inner.parameters)),
        value,
        random() < 0.5,
      ),
    () => setSteps(catalogue, node, index, pick([count, null])),
    () => moveSegment(node, index, count, random() < 0.5),
    () => resize(node, count),
    () => scale(catalogue, node, pick([0.5, 2, 0, -1, 1e3])),
    () => openFuture(catalogue, node, Math.max(0, Math.floor(count))),
    () => {
      const free = { cosine: "exponent", polynomial: "power" }[inner.shape];
      const bent = free && part.node === "segment" ? solveFree(catalogue, part, value) : null;
      return free && bent !== null ? setParameter(catalogue, node, index, free, bent) : node;
    },
  ])();
}

for (let seed = 1; seed <= 8; seed += 1) {
  test(`no edit gives a schedule that Python would refuse, seed ${seed}`, () => {
    const random = createRandom(seed);
    let node = seed % 2 ? warmupCosine() : join(constant(100, 1e-3), constant(null, 1e-4));
    for (let i = 0; i < 400; i += 1) {
      const result = anyEdit(node, random);
      if (!refused(result)) {
        check(result);
        node = result;
      } else {
        assert.match(result.error, /\w/);
      }
    }
  });
}
