import assert from "node:assert/strict";
import { test } from "node:test";

import { createCommits } from "../../js/design/commits.js";
import { constant } from "./schedule_catalogue.js";

/** A Python whose answers the test gives. */
function setUp() {
  /** @type {{node: any, accept: () => void, refuse: (reason: string) => void}[]} */
  const sent = [];
  /** @type {any[]} */
  const shown = [];
  const commits = createCommits({
    design: { seq: 1, schedule: constant(10, 0) },
    send: (node) =>
      new Promise((resolve, reject) => {
        sent.push({
          node,
          accept: () => resolve(null),
          refuse: (reason) => reject(new Error(reason)),
        });
      }),
    show: (node, from) => shown.push([level(node), from]),
  });
  return { commits, sent, shown };
}

/** @param {any} node @returns {number} */
const level = (node) => node.parameters.value;
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("an edit is shown at once, sent, and can be undone", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1));
  assert.equal(level(commits.node()), 1);
  assert.ok(commits.pending() && commits.canUndo());
  sent[0].accept();
  assert.equal(await answer, null);
  assert.ok(!commits.pending());
  const undone = commits.undo();
  assert.equal(level(sent[1].node), 0);
  sent[1].accept();
  await undone;
  assert.ok(!commits.canUndo() && commits.canRedo());
});

test("while one is under way only the newest of the others follows", async () => {
  const { commits, sent } = setUp();
  const answers = [1, 2, 3].map((value) => commits.commit(constant(10, value)));
  assert.equal(sent.length, 1);
  sent[0].accept();
  await settled();
  assert.deepEqual(
    sent.map(({ node }) => level(node)),
    [1, 3],
  );
  sent[1].accept();
  assert.deepEqual(await Promise.all(answers), [null, null, null]);
  assert.equal(level(commits.node()), 3);
});

test("a refusal restores the last accepted state and says why", async () => {
  const { commits, sent, shown } = setUp();
  const first = commits.commit(constant(10, 1));
  sent[0].accept();
  await first;
  const second = commits.commit(constant(10, 2));
  sent[1].refuse("too high");
  assert.equal(await second, "too high");
  assert.equal(level(commits.node()), 1);
  assert.deepEqual(shown.at(-1), [1, "python"]);
  assert.ok(!commits.canRedo());
});

test("a refused edit does not stop the newer one that waits", async () => {
  const { commits, sent } = setUp();
  const first = commits.commit(constant(10, 1));
  const second = commits.commit(constant(10, 2));
  sent[0].refuse("no");
  assert.equal(await first, "no");
  sent[1].accept();
  assert.equal(await second, null);
  assert.equal(level(commits.node()), 2);
});

test("what Python changes by itself is one undo step", () => {
  const { commits, sent } = setUp();
  commits.adopt({ seq: 2, schedule: constant(10, 5) });
  assert.equal(level(commits.node()), 5);
  commits.undo();
  assert.equal(level(sent[0].node), 0);
});

test("the echo of an edit is no step, and brings the samples", async () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 1));
  commits.commit(constant(10, 2));
  commits.adopt({ seq: 2, schedule: constant(10, 1) });
  assert.equal(level(commits.node()), 2);
  sent[0].accept();
  await settled();
  sent[1].accept();
  await settled();
  const samples = [1, 2];
  commits.adopt({ seq: 3, schedule: { ...constant(10, 2), samples } });
  assert.equal(/** @type {any} */ (commits.node()).samples, samples);
  commits.undo();
  assert.equal(level(commits.node()), 1);
});

test("Python's own change during an edit counts once the edit is answered", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1));
  commits.adopt({ seq: 2, schedule: constant(10, 7) });
  assert.equal(level(commits.node()), 1);
  sent[0].accept();
  await answer;
  assert.equal(level(commits.node()), 7);
});

test("an old design is not taken for a new one", () => {
  const { commits } = setUp();
  commits.adopt({ seq: 1, schedule: constant(10, 9) });
  assert.equal(level(commits.node()), 0);
});
