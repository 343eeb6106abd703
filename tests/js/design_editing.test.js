import assert from "node:assert/strict";
import { test } from "node:test";

import { createEditing } from "../../js/design/editing.js";
import { constant } from "./schedule_catalogue.js";

/** An edit of a constant whose frames the test lets pass. */
function setUp() {
  /** @type {Map<number, () => void>} */
  const frames = new Map();
  let count = 0;
  Object.assign(globalThis, {
    requestAnimationFrame(/** @type {() => void} */ fn) {
      count += 1;
      frames.set(count, fn);
      return count;
    },
    cancelAnimationFrame: (/** @type {number} */ id) => frames.delete(id),
  });
  /** @type {{shown: number[], committed: number[], rules: (string | null)[]}} */
  const log = { shown: [], committed: [], rules: [] };
  const level = (/** @type {any} */ node) => node.parameters.value;
  const editing = createEditing({
    getNode: () => constant(10, 0),
    scene: (node) => ({ catalogue: { shapes: [], presets: [] }, node, locked: null, furthest: 1 }),
    show: (node) => log.shown.push(level(node)),
    commit: (node) => log.committed.push(level(node)),
    onRefused: (rule) => log.rules.push(rule),
    signal: new AbortController().signal,
  });
  const to = (/** @type {number} */ value) => () => constant(10, value);
  const frame = () => {
    for (const [id, fn] of [...frames]) {
      frames.delete(id);
      fn();
    }
  };
  return { editing, log, to, frame };
}

test("a drag is shown once a frame, the newest only, and committed once", () => {
  const { editing, log, to, frame } = setUp();
  editing.begin("pointer");
  editing.drag(to(1));
  editing.drag(to(2));
  assert.deepEqual(log.shown, []);
  frame();
  assert.deepEqual(log.shown, [2]);
  editing.drag(to(3));
  editing.finish();
  assert.deepEqual(log.committed, [3]);
  assert.equal(editing.active(), null);
});

test("an edit that is taken back, or comes back to where it was, is not committed", () => {
  const { editing, log, to, frame } = setUp();
  editing.begin("pointer");
  editing.drag(to(1));
  frame();
  editing.cancel();
  assert.deepEqual([log.shown.at(-1), log.committed], [0, []]);
  editing.begin("pointer");
  editing.drag(to(1));
  frame();
  editing.drag(to(0));
  editing.finish();
  assert.deepEqual([log.shown.at(-1), log.committed], [0, []]);
});

test("keys go on from what is shown, a drag from where it began", () => {
  const { editing, log } = setUp();
  const more = (/** @type {any} */ { node }) => constant(10, node.parameters.value + 1);
  editing.begin("keys");
  editing.nudge(more);
  editing.nudge(more);
  editing.finish();
  editing.begin("pointer");
  editing.drag(more);
  editing.drag(more);
  editing.finish();
  assert.deepEqual(log.committed, [2, 1]);
});

test("a refused move leaves the last one standing and says the rule", () => {
  const { editing, log, to, frame } = setUp();
  editing.begin("pointer");
  editing.drag(to(1));
  frame();
  editing.drag(() => ({ error: "too far" }));
  editing.finish();
  assert.deepEqual(log.committed, [1]);
  assert.ok(log.rules.includes("too far"));
});

test("a new edit commits the one that was open", () => {
  const { editing, log, to } = setUp();
  editing.begin("keys");
  editing.nudge(to(4));
  editing.begin("pointer");
  assert.deepEqual(log.committed, [4]);
  assert.equal(editing.active(), "pointer");
});
