import assert from "node:assert/strict";
import { test } from "node:test";

import { proofOf } from "../../js/design/code.js";
import { fieldOf, handleStates, readoutText } from "../../js/design/handle_states.js";
import { nearest } from "../../js/design/paths.js";
import { createScale } from "../../js/design/scales.js";
import { catalogue, constant, join, linear, warmupCosine } from "./schedule_catalogue.js";

/** @type {any} */
const view = {
  x: createScale({ domain: [0, 2000], range: [56, 856] }),
  y: createScale({ domain: [0, 3.5e-3], range: [270, 10] }),
};

/** @param {any} node @param {number | null} [locked] */
const handlesOf = (node, locked = null) =>
  handleStates({ catalogue, node, locked, furthest: 1e9 }, view, "learning rate", null);

test("the proof says what was found, and nothing about a curve that has changed since", () => {
  const code = {
    seq: 1,
    text: "",
    state: /** @type {const} */ ("equal"),
    error: 2.1e-7,
    message: "",
  };
  assert.equal(proofOf(code, false).text, "✓ equals the curve to 2e-7");
  assert.equal(proofOf(code, true).text, "checking…");
  assert.equal(
    proofOf({ ...code, state: "differs", error: 0.3 }, false).text,
    "✗ differs by 3e-1 of the peak",
  );
  assert.match(proofOf({ ...code, state: "failed", message: "no CPU" }, false).text, /no CPU/);
});

test("handles are told as sliders, from left to right", () => {
  const states = handlesOf(warmupCosine());
  assert.deepEqual(
    states.map(({ hook }) => hook),
    ["handle-0", "handle-1", "bend-1", "handle-2"],
  );
  assert.equal(states[1].text, "step 100, learning rate 3e-3");
  assert.equal(states[1].label, "knot 2 of 3, end of linear, start of cosine");
  assert.equal(states[0].moves, "y");
});

test("in a run there are handles for what is left of it only", () => {
  const states = handlesOf(warmupCosine(), 800);
  assert.deepEqual(
    states.map(({ hook }) => hook),
    ["bend-1", "handle-0"],
  );
  assert.equal(Math.round(view.x.value(states[0].x)), 1401);
});

test("a handle keeps its key while the run goes on and when segments appear before it", () => {
  const keys = (/** @type {any[]} */ states) => states.map(({ key }) => key);
  assert.equal(
    keys(handlesOf(warmupCosine(), 50)).at(-1),
    keys(handlesOf(warmupCosine(), 800)).at(-1),
  );
  const longer = join(constant(10, 0), linear(90, 0, 3e-3), constant(1900, 3e-3));
  assert.equal(keys(handlesOf(longer)).at(-1), keys(handlesOf(warmupCosine())).at(-1));
});

test("Enter at a knot between two segments means the selected one", () => {
  const node = warmupCosine();
  const scene = { catalogue, node, locked: null, furthest: 1e9 };
  const handle = handlesOf(node)[1];
  assert.deepEqual(fieldOf(scene, handle, 1), { index: 1, parameter: "init_value" });
  assert.deepEqual(fieldOf(scene, handle, 0), { index: 0, parameter: "end_value" });
});

test("the readout gives step, epoch and value", () => {
  assert.equal(readoutText(812, 2.41e-3, 128.9), "step 812 (epoch 6.3) · 2.41e-3");
  assert.equal(readoutText(812, 2.41e-3, null), "step 812 · 2.41e-3");
});

test("the past is read at the last step that was", () => {
  const past = { step: [0, 10, 20], value: [1, 2, 3] };
  assert.deepEqual(
    [-1, 0, 9, 10, 99].map((at) => nearest(past, at)),
    [1, 1, 1, 2, 3],
  );
});
