import assert from "node:assert/strict";
import { test } from "node:test";

import { createCommits, LEARNING_RATE } from "../../js/design/commits.js";
import { constant } from "./schedule_catalogue.js";

/**
 * A Python whose answers the test gives.
 *
 * @param {Record<string, number>} [tracks]
 * @param {any} [chain]
 */
function setUp(tracks = {}, chain = null) {
  /** @type {{state: any, accept: (seq?: number) => void, refuse: (reason: string) => void}[]} */
  const sent = [];
  /** @type {any[]} */
  const shown = [];
  const commits = createCommits({
    design: design(1, 0, tracks, chain),
    send: (state) =>
      new Promise((resolve, reject) => {
        sent.push({
          state,
          accept: (seq) => resolve(seq === undefined ? null : { seq }),
          refuse: (reason) => reject(new Error(reason)),
        });
      }),
    show: (node, from) => shown.push([level(node), from]),
  });
  return { commits, sent, shown };
}

/**
 * @param {number} seq
 * @param {number} value
 * @param {Record<string, number>} [tracks]
 * @param {any} [chain]
 */
const design = (seq, value, tracks = {}, chain = null) => ({
  seq,
  chain_node: chain,
  schedule: constant(10, value),
  tracks: Object.entries(tracks).map(([name, at]) => ({ name, schedule: constant(10, at) })),
});

/** @param {any} node @returns {number} */
const level = (node) => node.parameters.value;
/** @param {Readonly<Record<string, any>>} tracks */
const levels = (tracks) =>
  Object.fromEntries(Object.entries(tracks).map(([name, node]) => [name, level(node)]));
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
  assert.equal(level(sent[1].state.schedule), 0);
  sent[1].accept();
  await undone;
  assert.ok(!commits.canUndo() && commits.canRedo());
});

test("what changes nothing is neither sent nor an undo step", async () => {
  const { commits, sent } = setUp({ momentum: 0.9 }, { optimizer: "sgd" });
  assert.equal(await commits.commit(constant(10, 0)), null);
  assert.equal(await commits.commitAll(structuredClone(commits.state())), null);
  assert.deepEqual([sent.length, commits.canUndo()], [0, false]);

  // The same again, before Python has answered: as when a field is left after Enter.
  commits.commit(constant(10, 1));
  assert.equal(await commits.commit(constant(10, 1)), null);
  sent[0].accept();
  await settled();
  assert.equal(sent.length, 1);
  commits.undo();
  assert.equal(level(commits.node()), 0);
});

test("while one is under way only the newest of the others follows", async () => {
  const { commits, sent } = setUp();
  const answers = [1, 2, 3].map((value) => commits.commit(constant(10, value)));
  assert.equal(sent.length, 1);
  sent[0].accept();
  await settled();
  assert.deepEqual(
    sent.map(({ state }) => level(state.schedule)),
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

test("undo goes past what was refused, and past what cannot be brought back", async () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 1));
  commits.commit(constant(10, 2));
  sent[0].refuse("no");
  await settled();
  sent[1].accept();
  await settled();
  commits.undo();
  assert.equal(level(commits.node()), 0);
  sent[2].accept();
  await settled();

  commits.commit(constant(10, 3));
  commits.commit(constant(10, 4));
  commits.commit(constant(10, 5));
  sent[3].accept();
  await settled();
  sent[4].accept();
  await settled();
  const undone = commits.undo();
  assert.equal(level(sent[5].state.schedule), 4, "which was never sent");
  sent[5].refuse("no");
  assert.equal(await undone, "no");
  assert.equal(level(commits.node()), 5);
  commits.undo();
  assert.equal(level(commits.node()), 3);
});

test("what Python changes by itself is one undo step", () => {
  const { commits, sent } = setUp();
  commits.adopt(design(2, 5));
  assert.equal(level(commits.node()), 5);
  commits.undo();
  assert.equal(level(sent[0].state.schedule), 0);
});

test("the echo of an edit is no step, and brings the samples", async () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 1));
  commits.commit(constant(10, 2));
  commits.adopt(design(2, 1));
  assert.equal(level(commits.node()), 2);
  sent[0].accept();
  await settled();
  sent[1].accept();
  await settled();
  const samples = [1, 2];
  commits.adopt({ ...design(3, 2), schedule: { ...constant(10, 2), samples } });
  assert.equal(/** @type {any} */ (commits.node()).samples, samples);
  commits.undo();
  assert.equal(level(commits.node()), 1);
});

test("Python's own change during an edit counts once the edit is answered", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1));
  commits.adopt(design(2, 7));
  assert.equal(level(commits.node()), 1);
  sent[0].accept();
  await answer;
  assert.equal(level(commits.node()), 7);
});

test("what Python makes of an edit is shown, even if that is to take it back", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1));
  // Somebody who observes it sets the schedule that was there before.
  commits.adopt(design(2, 1));
  commits.adopt(design(3, 0));
  sent[0].accept(3);
  await answer;
  assert.equal(level(commits.node()), 0);
  commits.undo();
  assert.equal(level(commits.node()), 1);
});

test("Python's own change that the edits have gone over is never shown", async () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 1));
  const newer = commits.commit(constant(10, 2));
  commits.adopt(design(2, 7));
  commits.adopt(design(3, 1));
  sent[0].accept(3);
  await settled();
  sent[1].refuse("too high");
  assert.equal(await newer, "too high");
  assert.equal(level(commits.node()), 1);
});

test("an echo behind its reply is not taken for Python's own change", async () => {
  const { commits, sent } = setUp();
  const first = commits.commit(constant(10, 1));
  sent[0].accept(2);
  await first;
  const second = commits.commit(constant(10, 2));
  commits.adopt(design(2, 1));
  sent[1].accept(3);
  await second;
  assert.equal(level(commits.node()), 2);
});

test("an old design is not taken for a new one", () => {
  const { commits } = setUp();
  commits.adopt(design(1, 9));
  assert.equal(level(commits.node()), 0);
});

test("an edit is one of the active track, and is sent with all the others", () => {
  const { commits, sent } = setUp({ momentum: 0.9 });
  commits.activate("momentum");
  assert.equal(level(commits.node()), 0.9);
  assert.ok(!commits.canUndo() && sent.length === 0, "to look at another track is no edit");
  commits.commit(constant(10, 0.8));
  assert.equal(level(sent[0].state.schedule), 0);
  assert.deepEqual(levels(sent[0].state.tracks), { momentum: 0.8 });
});

test("undo and redo go through all tracks, and show the one that changes", async () => {
  const { commits, sent } = setUp({ momentum: 0.9, b2: 0.99 });
  const seen = () => [commits.active(), level(commits.node())];
  const answered = async (/** @type {Promise<unknown>} */ answer) => {
    sent.at(-1)?.accept();
    await answer;
  };
  await answered(commits.commit(constant(10, 1)));
  commits.activate("momentum");
  await answered(commits.commit(constant(10, 0.8)));
  commits.activate("b2");
  await answered(commits.commit(constant(10, 0.95)));
  commits.activate(LEARNING_RATE);
  await answered(commits.undo());
  assert.deepEqual(seen(), ["b2", 0.99]);
  await answered(commits.undo());
  assert.deepEqual(seen(), ["momentum", 0.9]);
  await answered(commits.undo());
  assert.deepEqual(seen(), [LEARNING_RATE, 0]);
  assert.ok(!commits.canUndo());
  await answered(commits.redo());
  assert.deepEqual(seen(), [LEARNING_RATE, 1]);
  await answered(commits.redo());
  assert.deepEqual(seen(), ["momentum", 0.8]);
  await answered(commits.redo());
  assert.deepEqual(seen(), ["b2", 0.95]);
  assert.deepEqual(levels(commits.all()), { learning_rate: 1, momentum: 0.8, b2: 0.95 });
});

test("a track comes and goes as one undo step each", () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 0.9), "momentum");
  assert.equal(commits.active(), "momentum");
  assert.deepEqual(levels(sent[0].state.tracks), { momentum: 0.9 });
  commits.commit(null, "momentum");
  assert.equal(commits.active(), LEARNING_RATE);
  assert.deepEqual(Object.keys(commits.all()), [LEARNING_RATE]);
  commits.undo();
  assert.equal(commits.active(), "momentum");
  commits.undo();
  assert.equal(commits.active(), LEARNING_RATE);
});

test("a track that Python refuses or takes away is no longer the active one", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1), "momentum");
  sent[0].refuse("the track 'momentum' must be < 1");
  assert.match((await answer) ?? "", /momentum/);
  assert.deepEqual(
    [commits.active(), Object.keys(commits.all())],
    [LEARNING_RATE, [LEARNING_RATE]],
  );
  commits.adopt(design(2, 0, { b1: 0.9 }));
  assert.equal(commits.active(), LEARNING_RATE, "nor is one that Python adds");
  commits.activate("b1");
  commits.adopt(design(3, 0));
  assert.equal(commits.active(), LEARNING_RATE);
});

test("what is no track is not activated", () => {
  const { commits, shown } = setUp();
  commits.activate("no_such");
  commits.activate(/** @type {any} */ (undefined));
  assert.deepEqual([commits.active(), shown], [LEARNING_RATE, []]);
});

/** @param {Record<string, unknown>} [hyperparameters] */
const adamw = (hyperparameters = {}) => ({
  links: [{ link: "adamw", hyperparameters }],
  groups: [],
});

test("the chain has the same history as the curves, and is sent where it has changed", async () => {
  const { commits, sent } = setUp({}, adamw());
  const first = commits.commit(constant(10, 1));
  assert.ok(!("chain" in sent[0].state));
  sent[0].accept();
  await first;
  const second = commits.commitAll({ ...commits.state(), chain: adamw({ b1: 0.8 }) });
  assert.deepEqual(sent[1].state.chain, adamw({ b1: 0.8 }));
  assert.equal(level(sent[1].state.schedule), 1);
  sent[1].accept();
  await second;
  commits.undo();
  assert.deepEqual(sent[2].state.chain, adamw());
  assert.equal(level(commits.node()), 1);
  sent[2].accept();
  await settled();
  commits.undo();
  assert.ok(!("chain" in sent[3].state));
  assert.equal(level(commits.node()), 0);
});

test("a refused chain is taken back", async () => {
  const { commits, sent } = setUp({}, adamw());
  const answer = commits.commitAll({ ...commits.state(), chain: adamw({ b1: 2 }) });
  sent[0].refuse("b1 must be < 1, got 2");
  assert.match((await answer) ?? "", /b1/);
  assert.deepEqual(commits.state().chain, adamw());
  assert.ok(!commits.canUndo());
});

for (const order of ["before", "after"]) {
  test(`a chain that comes ${order} its reply in Python's own words is no step`, async () => {
    const { commits, sent } = setUp({}, adamw());
    const answer = commits.commitAll({ ...commits.state(), chain: adamw({ b1: 0.9, b2: 0.9 }) });
    const echo = design(2, 0, {}, adamw({ b2: 0.9 }));
    if (order === "before") {
      commits.adopt(echo);
    }
    sent[0].accept(2);
    await answer;
    if (order === "after") {
      commits.adopt(echo);
    }
    assert.deepEqual(commits.state().chain, adamw({ b2: 0.9 }));
    commits.undo();
    assert.ok(!commits.canUndo());
    assert.deepEqual(sent[1].state.chain, adamw());
  });
}

test("the echo of a chain does not stop the newer edit that is under way", async () => {
  const { commits, sent } = setUp({}, adamw());
  commits.commitAll({ ...commits.state(), chain: adamw({ b1: 0.9, b2: 0.9 }) });
  const newer = commits.commitAll({ ...commits.state(), chain: adamw({ b1: 0.8, b2: 0.9 }) });
  sent[0].accept(2);
  await settled();
  commits.adopt(design(2, 0, {}, adamw({ b2: 0.9 })));
  assert.deepEqual(commits.state().chain, adamw({ b1: 0.8, b2: 0.9 }));
  sent[1].accept(3);
  await newer;
  commits.adopt(design(3, 0, {}, adamw({ b1: 0.8, b2: 0.9 })));
  assert.deepEqual(commits.state().chain, adamw({ b1: 0.8, b2: 0.9 }));
});

test("another chain that Python sets by itself is a step", () => {
  const { commits } = setUp({}, adamw());
  commits.adopt(design(2, 0, {}, adamw({ b1: 0.5 })));
  assert.ok(commits.canUndo());
});

test("the active track stays active under its new name, and others do not take its place", () => {
  const { commits } = setUp({ "a.x": 1, "a_2.x": 2 }, adamw());
  const { "a.x": first, "a_2.x": second } = commits.state().tracks;
  commits.activate("a_2.x");
  const chain = adamw({ moved: true });
  commits.commitAll({ ...commits.state(), chain, tracks: { "a.x": first, "b.x": second } });
  assert.equal(commits.active(), "b.x");
  commits.activate(LEARNING_RATE);
  commits.undo();
  assert.equal(commits.active(), LEARNING_RATE);
});

test("the active track is followed through an exchange of names, Python's words and undo", async () => {
  const { commits, sent } = setUp({ "a.x": 1, "a_2.x": 2 }, adamw());
  commits.activate("a_2.x");
  const { "a.x": first, "a_2.x": second } = commits.state().tracks;
  const chain = adamw({ moved: true });
  commits.commitAll({ ...commits.state(), chain, tracks: { "a.x": second, "a_2.x": first } });
  assert.equal(commits.active(), "a.x");
  sent[0].accept(2);
  await settled();
  commits.adopt(design(2, 0, { "whole/a.x": 2, "whole/a_2.x": 1 }, chain));
  assert.equal(commits.active(), "whole/a.x");
  commits.undo();
  assert.equal(commits.active(), "a_2.x");
});

test("an edit that Python took although it says no is shown: an observer has failed", async () => {
  const { commits, sent } = setUp();
  const answer = commits.commit(constant(10, 1));
  commits.adopt(design(2, 1));
  sent[0].refuse("division by zero");
  assert.equal(await answer, "division by zero");
  assert.equal(level(commits.node()), 1);
  commits.undo();
  assert.equal(level(commits.node()), 0);
});

test("an edit that Python confirms does not come back over a newer one", async () => {
  const { commits, sent } = setUp();
  commits.commit(constant(10, 1));
  const newer = commits.commit(constant(10, 2));
  commits.adopt(design(2, 1));
  sent[0].accept(2);
  await settled();
  assert.equal(level(commits.node()), 2);
  sent[1].accept(3);
  await newer;
  assert.equal(level(commits.node()), 2);
  commits.adopt(design(3, 2));
  commits.undo();
  assert.equal(level(commits.node()), 1);
});
