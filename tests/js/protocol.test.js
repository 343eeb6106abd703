import assert from "node:assert/strict";
import test from "node:test";
import { BUSY_AFTER_MS, createClient } from "../../js/shared/protocol.js";
import { createFakeModel, packDelta } from "./fake_model.js";

test("a request carries its fields and resolves with the reply's value", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const answer = client.request("train.step", { steps: 5 });
  assert.equal(fake.sent[0].kind, "train.step");
  assert.equal(fake.sent[0].steps, 5);
  fake.reply(fake.sent[0], { ok: true, value: { step: 5 } });
  assert.deepEqual(await answer, { step: 5 });
  assert.deepEqual(client.state(), { pending: [], busy: false, gone: false });
});

test("an error reply rejects with the text for the person", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const answer = client.request("train.scale", { factor: -1 });
  fake.reply(fake.sent[0], { error: "factor must be > 0, got -1" });
  await assert.rejects(answer, { name: "Error", message: "factor must be > 0, got -1" });
});

test("replies find their requests in any order, foreign ones are let pass", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const first = client.request("train.pause");
  const second = client.request("train.script");
  assert.notEqual(fake.sent[0].id, fake.sent[1].id);
  assert.deepEqual(client.state().pending, ["train.pause", "train.script"]);
  fake.emit("msg:custom", { kind: "reply", id: "another page's", ok: true }, []);
  fake.emit("msg:custom", { kind: "reply", id: null, error: "malformed" }, []);
  fake.emit("msg:custom", "nonsense", undefined);
  fake.reply(fake.sent[1], { ok: true, value: "code" });
  fake.reply(fake.sent[0], { ok: true, value: 1 });
  assert.equal(await second, "code");
  assert.equal(await first, 1);
});

test("what is made of the design waits for the edits that were made before", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const kinds = () => fake.sent.map(({ kind }) => kind);
  // Of two edits the second is sent when the first is answered.
  const edits = client.request("design.set").then(() => client.request("design.set"));
  const start = client.request("train.start");
  client.request("train.pace");
  client.request("export.text");
  assert.deepEqual(kinds(), ["design.set", "train.pace"]);
  assert.ok(client.state().pending.includes("train.start"));
  fake.reply(fake.sent[0], { ok: true });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(kinds().slice(2), ["design.set"]);
  fake.reply(fake.sent[2], { error: "too high" });
  await assert.rejects(edits);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(kinds().slice(3), ["train.start", "export.text"]);
  fake.reply(fake.sent[3], { ok: true, value: { step: 0 } });
  assert.deepEqual(await start, { step: 0 });
});

test("what waits for an edit is not sent any more when the kernel is gone", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const answers = [client.request("design.set"), client.request("train.start")];
  client.setGone(true);
  for (const answer of answers) {
    await assert.rejects(answer, /gone/);
  }
  fake.emit("msg:custom", { kind: "reply", id: "another page's", ok: true }, []);
  const again = client.request("train.start");
  assert.equal(fake.sent.length, 2);
  fake.reply(fake.sent[1], { ok: true });
  await again;
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(fake.sent.length, 2);
});

test("two pages never use the same id", () => {
  const fake = createFakeModel();
  createClient(fake.model).request("ready");
  createClient(fake.model).request("ready");
  assert.notEqual(fake.sent[0].id, fake.sent[1].id);
});

test("after a second without an answer the kernel is called busy, until it answers", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fake = createFakeModel();
  const client = createClient(fake.model);
  /** @type {boolean[]} */
  const told = [];
  client.onState((state) => told.push(state.busy));
  let busy = 0;
  const answer = client.request("train.pause", {}, { onBusy: () => (busy += 1) });
  t.mock.timers.tick(BUSY_AFTER_MS - 1);
  assert.equal(busy, 0);
  t.mock.timers.tick(1);
  assert.equal(busy, 1);
  assert.equal(client.state().busy, true);
  fake.reply(fake.sent[0], { ok: true });
  await answer;
  assert.equal(client.state().busy, false);
  assert.deepEqual(told, [false, true, false]);
});

test("a comm that throws is a kernel that is gone, a message brings it back", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const waiting = client.request("train.pause");
  fake.closed = true;
  await assert.rejects(client.request("train.stop"), /kernel is gone/);
  await assert.rejects(waiting, /kernel is gone/);
  assert.equal(client.state().gone, true);
  fake.emit("msg:custom", { kind: "reply", id: "?" }, []);
  assert.equal(client.state().gone, false);
});

test("a probe finds a closed comm, asks rarely, and is not waited for", () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  client.probe();
  client.probe();
  assert.deepEqual(
    fake.sent.map(({ kind }) => kind),
    ["ready"],
  );
  assert.deepEqual(client.state().pending, []);
  fake.closed = true;
  const later = createClient(fake.model);
  later.probe();
  assert.equal(later.state().gone, true);
});

test("deltas reach the listeners of their stream, decoded", () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const controller = new AbortController();
  /** @type {any[]} */
  const heard = [];
  client.onDelta("train", (delta) => heard.push(delta), controller.signal);
  client.onDelta("find", () => assert.fail("not this stream"));
  const message = packDelta({
    stream: "train",
    run: 2,
    seq: 7,
    columns: { step: Float64Array.of(1), loss: Float32Array.of(0.5) },
    valid: { step: Float64Array.of(1) },
  });
  fake.emit("msg:custom", ...message);
  controller.abort();
  fake.emit("msg:custom", ...message);
  assert.deepEqual(heard, [
    {
      stream: "train",
      run: 2,
      seq: 7,
      columns: { step: Float64Array.of(1), loss: Float32Array.of(0.5) },
      valid: { step: Float64Array.of(1) },
    },
  ]);
});

test("dispose rejects what waits, stops listening, and may be called twice", async () => {
  const fake = createFakeModel();
  const client = createClient(fake.model);
  const waiting = client.request("train.pause");
  client.dispose();
  client.dispose();
  await assert.rejects(waiting, /closed/);
  assert.equal(fake.listening(), 0);
});
