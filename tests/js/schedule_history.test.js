import assert from "node:assert/strict";
import { test } from "node:test";

import { begin, forget, push, redo, replacePresent, undo } from "../../js/schedule/history.js";

test("undo and redo walk through what was pushed", () => {
  const full = push(push(begin("a"), "b"), "c");
  const once = undo(full);
  const twice = undo(once);
  assert.deepEqual([once.present, twice.present], ["b", "a"]);
  assert.equal(undo(twice), twice);
  assert.deepEqual([redo(twice).present, redo(redo(twice)).present], ["b", "c"]);
  assert.equal(redo(full), full);
});

test("a push forgets what could be redone", () => {
  const history = push(undo(push(begin("a"), "b")), "c");
  assert.deepEqual(history.future, []);
  assert.equal(undo(history).present, "a");
});

test("another form of the present is no step of its own", () => {
  const history = replacePresent(push(begin("a"), "b"), "B");
  assert.equal(history.present, "B");
  assert.equal(undo(history).present, "a");
  assert.equal(redo(undo(history)).present, "B");
});

test("a step that led nowhere is on no way back or forth", () => {
  const full = push(push(push(begin("a"), "b"), "c"), "d");
  assert.equal(undo(forget(full, "c")).present, "b");
  const undone = forget(undo(undo(undo(full))), "c");
  assert.equal(redo(redo(undone)).present, "d");
  assert.deepEqual(forget(full, "d"), full);
});

test("the oldest steps are forgotten after two hundred", () => {
  let history = begin(0);
  for (let i = 1; i <= 500; i += 1) {
    history = push(history, i);
  }
  assert.equal(history.past.length, 200);
  assert.equal(history.past[0], 300);
});
