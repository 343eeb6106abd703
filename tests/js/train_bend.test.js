import assert from "node:assert/strict";
import { test } from "node:test";

import { createBend } from "../../js/train/bend.js";
import { constant } from "./schedule_catalogue.js";

function setUp() {
  let told = {};
  const bend = createBend(() => told);
  return {
    ...bend,
    tell() {
      told = {};
    },
  };
}

test("a bent curve is shown until Python tells of the run behind its answer", () => {
  const { hold, node, tell } = setUp();
  assert.equal(node("a"), null);
  const bent = constant(10, 1);
  const answer = hold(bent, "a");
  tell();
  assert.equal(node("a"), bent, "told before the answer: that is still without it");
  assert.ok(answer(true));
  assert.equal(node("a"), bent);
  tell();
  assert.equal(node("a"), null);
});

test("the answer to an older one leaves the newest alone", () => {
  const { hold, node, tell } = setUp();
  const answers = [hold(constant(10, 1), "a"), hold(constant(10, 2), "a")];
  assert.ok(!answers[0](true));
  tell();
  assert.deepEqual(node("a"), constant(10, 2));
  assert.ok(answers[1](true));
  tell();
  assert.equal(node("a"), null);
});

test("what was refused is not shown, nor what another hyperparameter was given", () => {
  const { hold, node } = setUp();
  const answer = hold(constant(10, 1), "a");
  assert.ok(answer(false));
  assert.equal(node("a"), null);
  hold(constant(10, 1), "a");
  assert.equal(node("b"), null);
});
