import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "../../js/shared/protocol.js";
import { createSend } from "../../js/train/commands.js";
import { createFakeModel } from "./fake_model.js";

/** An element that keeps its attributes, and nothing more. @returns {any} */
function control() {
  const attributes = new Map();
  return {
    getAttribute: (/** @type {string} */ name) => attributes.get(name) ?? null,
    setAttribute: (/** @type {string} */ name, /** @type {string} */ value) =>
      attributes.set(name, value),
    removeAttribute: (/** @type {string} */ name) => attributes.delete(name),
  };
}

test("a control waits until the last of its commands is answered", async () => {
  const fake = createFakeModel();
  /** @type {any} */
  const context = { client: createClient(fake.model), announce() {}, use: () => null };
  const { send } = createSend(context, new AbortController().signal);
  const pace = control();
  const note = /** @type {any} */ ({ say() {}, fail() {} });
  const answers = [10, 50].map((steps_per_second) =>
    send("train.pace", { steps_per_second }, { waiting: "…", note, control: pace }),
  );
  fake.reply(fake.sent[0], { ok: true });
  await answers[0];
  assert.equal(pace.getAttribute("aria-busy"), "true");
  fake.reply(fake.sent[1], { ok: true });
  await answers[1];
  assert.equal(pace.getAttribute("aria-busy"), null);
});
