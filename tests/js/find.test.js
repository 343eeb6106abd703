import assert from "node:assert/strict";
import test from "node:test";
import { placeLabels, ruleStyle } from "../../js/find/marks.js";
import { axisShare, rateRange, sweepRange } from "../../js/find/range.js";
import { chosenSettings, settingsErrors, settingsText } from "../../js/find/settings.js";
import { afterHiding, disagreement, isHidden, spreadText } from "../../js/find/suggestions.js";
import { sweepText } from "../../js/find/sweep_plot.js";
import {
  aimOf,
  betweenOf,
  canCheckHere,
  costOf,
  isBarren,
  noteOf,
  outcomeOf,
  spokenOutcome,
  stageOf,
  titleOf,
} from "../../js/find/words.js";
import { readFind } from "../../js/shared/traits.js";

const rungs = Array.from({ length: 100 }, (_, i) => i / 99);
/** @param {any} fields */
const findWith = (fields) => readFind(fields);

test("a diverged tail does not flatten the curve", () => {
  const losses = rungs.map((x) => (x < 0.9 ? 2.3 - 1.5 * x : 10 ** ((x - 0.9) * 60)));
  const [low, high] = sweepRange(losses, losses);
  assert.ok(low > 0 && low < 0.97, `low ${low}`);
  assert.ok(high > 2.3 && high < 4, `high ${high}`);
});

test("a loss that only rises still shows its beginning", () => {
  const losses = rungs.map((x) => 2 + Math.exp(12 * x) / 100);
  const [low, high] = sweepRange(losses, losses);
  assert.ok(low <= 2.01 && high > 2.01 && high < 100);
});

test("the first points, none, and NaN", () => {
  for (const losses of [[], [2.3], [2.3, 2.3], [2.3, Number.NaN, 2.1]]) {
    const [low, high] = sweepRange(losses, losses);
    assert.ok(Number.isFinite(low) && low < high);
  }
});

test("the plots share an axis that holds every rate that was tried", () => {
  const asked = { low: 1e-7, high: 10 };
  assert.deepEqual(rateRange(asked, [], []), [1e-7, 10]);
  assert.deepEqual(rateRange(asked, [1e-7, 1e-3], [{ rate: 30 }, { rate: 0 }]), [1e-7, 30]);
  assert.equal(axisShare(1e-3, [1e-7, 10]), 0.5);
});

/**
 * @param {{at: number, width: number}[]} labels
 * @param {number} right
 */
function checkLabels(labels, right) {
  const placed = placeLabels(labels, 0, right);
  for (const [i, a] of placed.entries()) {
    assert.ok(a.start >= 0 && a.start + labels[i].width <= right, `label ${i} leaves the plot`);
    for (const [j, b] of placed.slice(0, i).entries()) {
      const apart = a.start >= b.start + labels[j].width || b.start >= a.start + labels[i].width;
      assert.ok(a.row !== b.row || apart, `labels ${j} and ${i} cover each other`);
    }
  }
  return placed.map(({ row }) => row);
}

test("labels that would cover each other stand in rows, and on both sides of their ticks", () => {
  const at = (/** @type {number[]} */ places) => places.map((x) => ({ at: x, width: 80 }));
  assert.deepEqual(checkLabels(at([300]), 600), [0]);
  assert.deepEqual(checkLabels(at([200, 210, 215, 400]), 600), [1, 0, 0, 0]);
  assert.ok(Math.max(...checkLabels(at([200, 202, 204, 206, 208, 210]), 600)) <= 2);
  checkLabels(at([550, 590, 595, 598]), 600);
  checkLabels(at([1, 2, 3, 4]), 600);
});

test("settings are checked as Python does", () => {
  const good = { low: 1e-7, high: 10, steps: 100, seeds: 3 };
  /** @param {Partial<typeof good>} change */
  const wrong = (change) => Object.keys(settingsErrors({ ...good, ...change })).join();
  assert.equal(wrong({}), "");
  assert.equal(wrong({ low: 0 }), "low");
  assert.equal(wrong({ low: 20 }), "high");
  assert.equal(wrong({ steps: 9 }), "steps");
  assert.equal(wrong({ steps: 10.5 }), "steps");
  assert.equal(wrong({ seeds: 0 }), "seeds");
  assert.equal(wrong({ seeds: 1.5 }), "seeds");
  // Each says what is wrong in it, whatever is wrong elsewhere.
  assert.equal(wrong({ low: 20, steps: 5, seeds: 0 }), "high,steps,seeds");
});

test("the closed line says what will be searched", () => {
  const offered = readFind(null).settings;
  const usual = chosenSettings(offered);
  assert.equal(settingsText(usual), "1e-7 → 10, 100 steps, 3 seeds, quick");
  assert.equal(
    settingsText({ ...usual, seeds: 1, loss: "valid", budget: "none" }),
    "1e-7 → 10, 100 steps, 1 seed, validation loss, no advice",
  );
});

test("settings saved by an older page are filled up, and nothing else is sent", () => {
  const offered = readFind({ settings: /** @type {any} */ ({ low: 1e-6 }) }).settings;
  assert.deepEqual(chosenSettings(offered, { steps: 50 }), {
    low: 1e-6,
    high: 10,
    steps: 50,
    seeds: 3,
    loss: "train",
    budget: "quick",
  });
});

test("every rule looks different from all others", () => {
  // As many as Python declares.
  const styles = Array.from({ length: 8 }, (_, index) => ruleStyle(index));
  assert.equal(new Set(styles.map(({ path }) => path)).size, 8);
  assert.equal(new Set(styles.map(({ color, dash }) => `${color} ${dash}`)).size, 8);
});

test("how far a rule's rates for the seeds are apart", () => {
  assert.equal(spreadText(), "");
  assert.equal(spreadText([0.0151, 0.0449]), "0.015 – 0.045 by seed");
  assert.equal(spreadText([2.36e-6, 2.38e-6]), "for every seed");
});

test("it is said by how much the rules disagree", () => {
  assert.match(disagreement([1.4e-3, 9.1e-3, 2e-3]), /factor of 6\.5, from 1\.4e-3 to 9\.1e-3/);
  assert.match(disagreement([1e-3, 1.02e-3]), /agree on about 1e-3/);
  assert.match(disagreement([1e-3]), /heuristics/);
});

test("some rules are shown only where the person asks for them, and every one can be hidden", () => {
  const usual = { name: "valley", title: "Valley", help: "" };
  const other = { name: "ignite", title: "Ignite", help: "", shown: false };
  assert.deepEqual(
    [usual, other].map((rule) => isHidden(rule, {})),
    [false, true],
  );
  const asked = afterHiding(other, false, { hiddenRules: ["slide"] });
  assert.equal(isHidden(other, asked), false);
  assert.deepEqual(asked.hiddenRules, ["slide"]);
  const both = { ...asked, ...afterHiding(usual, true, asked) };
  assert.deepEqual([isHidden(usual, both), isHidden(other, both)], [true, false]);
  assert.equal(isHidden(other, { ...both, ...afterHiding(other, true, both) }), true);
});

test("the note tells how far it is, in both phases", () => {
  const settings = { ...readFind(null).settings, seeds: 1 };
  const running = { state: "running", phase: "sweep", progress: 0.2, settings };
  const come = { points: 42, runs: 0 };
  assert.equal(noteOf(findWith(running), "idle", come), "Step 42 of 100");
  const three = { ...running, settings: { ...settings, seeds: 3 } };
  assert.equal(noteOf(findWith(three), "idle", come), "Step 42 of 100, 3 seeds");
  const probing = findWith({ ...running, phase: "probes" });
  assert.equal(noteOf(probing, "idle", { points: 100, runs: 1 }), "1 short run");
  assert.equal(
    noteOf(probing, "idle", { points: 100, runs: 7, best: 0.02 }),
    "7 short runs, the lowest at 0.02 so far",
  );
  // What takes longest: nothing has come yet.
  const none = { points: 0, runs: 0 };
  assert.equal(noteOf(findWith(running), "idle", none), "The first step is being compiled…");
  const looking = { ...running, phase: "probes", advice: { stage: "looking at the curvature" } };
  assert.equal(noteOf(findWith(looking), "idle", none), "Looking at the curvature…");
  // That Stop was heard goes before how far it is, in both.
  for (const phase of ["sweep", "probes"]) {
    assert.match(
      noteOf(findWith({ ...running, phase, stopping: true }), "idle", come),
      /^Stopping/,
    );
  }
  assert.match(noteOf(findWith({}), "running", come), /pause or stop it/);
});

test("an advice that was asked for is on its way from the start", () => {
  const settings = readFind(null).settings;
  assert.equal(findWith({}).advice, null);
  assert.equal(findWith({ state: "running", settings }).advice?.state, "running");
  assert.equal(
    findWith({ state: "running", settings: { ...settings, budget: "none" } }).advice,
    null,
  );
  assert.equal(findWith({ state: "stopped", settings, advice: null }).advice, null);
});

test("a stop in the probes leaves the sweep's own ending", () => {
  const stopped = { state: "stopped", stopped: "cancelled", advice: null };
  assert.equal(outcomeOf(findWith(stopped)), "Stopped before the end.");
  const late = { state: "stopped", diverged_at: 0.5, advice: { state: "stopped" } };
  assert.equal(
    outcomeOf(findWith({ ...late, stopped: "diverged" })),
    "Ended at 0.5, where the loss diverged. The short runs were stopped.",
  );
  assert.equal(
    outcomeOf(findWith({ state: "failed", error: "ValueError: no" })),
    "The range test failed: ValueError: no",
  );
});

test("an advice and a refusal in words", () => {
  const advice = {
    state: "advised",
    learning_rate: 2.4e-3,
    low: 1.3e-3,
    high: 4.1e-3,
    sure: "fairly sure",
    steps: 2000,
  };
  const done = findWith({ state: "done", advice });
  assert.ok(done.advice);
  assert.equal(titleOf(done.advice), "Use 2.4e-3");
  assert.equal(betweenOf(done.advice), "the best lies between 1.3e-3 and 4.1e-3");
  const ended = "The range test reached its highest rate.";
  const said = `${ended} Advice: 2.4e-3.`;
  const come = { points: 100, runs: 7 };
  assert.equal(noteOf(done, "idle", come), said);
  const outdated = "The chain has changed since.";
  const swept = noteOf({ ...done, outdated, advice: null }, "idle", come);
  assert.equal(swept, `The range test reached its highest rate. ${outdated}`);
  for (const state of ["advised", "refused", "failed", "stopped"]) {
    const find = { ...done, outdated, advice: { ...done.advice, state } };
    assert.ok(noteOf(find, "idle", come).endsWith(outdated), state);
    assert.equal(stageOf(find), "Out of date");
    assert.equal(stageOf({ ...find, outdated: null }), "");
  }
  assert.equal(spokenOutcome(done), `${said} Fairly sure, the best lies between 1.3e-3 and 4.1e-3`);
  assert.match(aimOf(done.advice, "start"), /training loss after 2\u202f000 steps\.$/);
  assert.match(
    aimOf({ ...done.advice, loss: "valid" }, "here"),
    /validation .* from where the run is/,
  );
  const refused = findWith({ state: "done", advice: { state: "refused", refused: "one batch" } });
  assert.equal(spokenOutcome(refused), `${ended} No advice. One batch`);
});

test("only a search that is over without an advice is barren", () => {
  const barren = (/** @type {any} */ fields) => isBarren(findWith(fields));
  assert.equal(barren({ state: "running", phase: "probes", advice: { state: "running" } }), false);
  assert.equal(barren({ state: "done", advice: { state: "advised" } }), false);
  assert.equal(barren({ state: "done", advice: null }), false);
  assert.equal(barren({ state: "done", advice: { state: "refused" } }), true);
});

test("the cost tells range test and advice apart", () => {
  assert.equal(costOf(0, null), "");
  assert.match(costOf(252, null), /^Cost: 252 gradient steps, on a copy/);
  assert.match(costOf(252, 384), /252 gradient steps for the range test and 384 for the advice/);
});

test("a run can be checked where it is once it has begun and as long as it goes on", () => {
  assert.equal(canCheckHere({ state: "paused", step: 812 }), true);
  assert.equal(canCheckHere({ state: "running", step: 812 }), true);
  assert.equal(canCheckHere({ state: "paused", step: 0 }), false);
  assert.equal(canCheckHere({ state: "finished", step: 2000 }), false);
});

test("the plot says everything that is drawn in it", () => {
  const rules = [{ name: "valley", title: "Valley", help: "" }];
  const find = findWith({
    suggestions: { valley: 1.4e-3 },
    diverged_at: 0.5,
    curvature: { safe_up_to: 8e-3 },
    advice: { state: "advised", learning_rate: 2.4e-3 },
  });
  assert.equal(sweepText(find, rules, 0), "no points yet");
  assert.equal(
    sweepText(find, rules, 84),
    "84 points; diverged at 0.5; suggestions: Valley 1.4e-3; curvature: safe up to 8e-3; advice 2.4e-3",
  );
});
