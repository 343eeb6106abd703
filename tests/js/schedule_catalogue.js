/**
 * The catalogue as Python sends it, with a plug-in shape beside our own, and short ways to write
 * nodes and to check them.
 */

import assert from "node:assert/strict";

import { evaluateMany, partsOf, peak, steps, violation } from "../../js/schedule/model.js";

const range = { low: 0, high: null, low_open: false, high_open: false, help: "" };
const start = { ...range, name: "init_value", role: "start", default: 1e-3 };
const end = { ...range, name: "end_value", role: "end", default: 0 };
const free = { ...range, role: "free", low: 0.05, high: 20 };
const twin = { twin: true, endless: false, help: "" };

/** @type {any} */
export const catalogue = {
  shapes: [
    {
      ...twin,
      name: "constant",
      title: "constant",
      endless: true,
      parameters: [{ ...range, name: "value", role: "level", default: 1e-3 }],
    },
    { ...twin, name: "linear", title: "linear", parameters: [start, end] },
    {
      ...twin,
      name: "cosine",
      title: "cosine",
      parameters: [start, end, { ...free, name: "exponent", default: 1 }],
    },
    {
      ...twin,
      name: "polynomial",
      title: "polynomial",
      parameters: [start, end, { ...free, name: "power", default: 2 }],
    },
    {
      ...twin,
      name: "exponential",
      title: "exponential",
      parameters: [
        { ...start, low_open: true },
        { ...end, low_open: true, default: 1e-5 },
      ],
    },
    {
      ...twin,
      name: "hump",
      title: "hump",
      twin: false,
      parameters: [start, end, { ...free, name: "height", default: 1 }],
    },
  ],
  presets: [{ name: "cosine", title: "cosine", help: "" }],
};

/**
 * @param {string} shape
 * @param {number | null} steps
 * @param {Record<string, number>} parameters
 * @returns {any}
 */
export const segment = (shape, steps, parameters) => ({
  node: "segment",
  shape,
  steps,
  parameters,
});

/** @param {any[]} parts @returns {any} */
export const join = (...parts) => ({ node: "join", parts });

export const linear = (/** @type {number} */ n, /** @type {number} */ a, /** @type {number} */ b) =>
  segment("linear", n, { init_value: a, end_value: b });

export const cosine = (/** @type {number} */ n, /** @type {number} */ a, /** @type {number} */ b) =>
  segment("cosine", n, { init_value: a, end_value: b, exponent: 1 });

export const constant = (/** @type {number | null} */ n, /** @type {number} */ value) =>
  segment("constant", n, { value });

export const warmupCosine = () => join(linear(100, 0, 3e-3), cosine(1900, 3e-3, 0));

/**
 * Fails where Python would refuse the node.
 *
 * @param {any} node
 */
export function check(node) {
  const parts = partsOf(node);
  assert.ok(parts.length > 0 && (node.node !== "join" || parts.length > 1));
  for (const [i, part] of parts.entries()) {
    const inner = part.node === "slice" ? part.part : part;
    const declared = catalogue.shapes.find((/** @type {any} */ each) => each.name === inner.shape);
    const names = declared.parameters.map((/** @type {any} */ each) => each.name);
    assert.deepEqual(Object.keys(inner.parameters).sort(), names.sort());
    for (const parameter of declared.parameters) {
      assert.equal(violation(parameter.name, parameter, inner.parameters[parameter.name]), null);
    }
    assert.ok(part.node !== "slice" || (Number.isInteger(part.start) && part.start >= 0));
    if (part.steps === null) {
      assert.ok(i === parts.length - 1 && declared.endless);
    } else {
      assert.ok(Number.isInteger(part.steps) && part.steps >= 1, `${part.steps} steps`);
    }
  }
  const end = steps(node) ?? 3000;
  const values = evaluateMany(node, [0, 1, end / 3, end / 2, end - 1, end, end + 1]);
  assert.ok([...values, peak(node)].every((value) => Number.isFinite(value) && value >= 0));
}
