import assert from "node:assert/strict";
import { test } from "node:test";

import { gapAt } from "../../js/design/chain_drag.js";
import { parseValue } from "../../js/design/chain_fields.js";
import {
  addGroup,
  addLink,
  changeGroup,
  giveChain,
  labelsOf,
  linksOf,
  matchGroup,
  matchOf,
  moveLink,
  placeFor,
  removeGroup,
  removeLink,
  setHyperparameter,
} from "../../js/design/chain_node.js";
import { found } from "../../js/design/chain_palette.js";
import { createDeclarations, summary } from "../../js/design/chain_words.js";
import { constant } from "./schedule_catalogue.js";

/** @typedef {import("../../js/design/chain_node.js").State} State */

const KEPT = { kept: 3 };
const GROUPS = /** @type {Record<string, string>} */ ({
  clip: "Gradients",
  multi_steps: "Around the rest",
  adamw: "Optimizers",
  sgd: "Optimizers",
  prodigy: "Learning-rate-free",
  ema: "Updates",
  greedy: "Adaptive rate",
});
const groupOf = (/** @type {string} */ link) => GROUPS[link] ?? "";
/** Where the learning rate is. @param {...string} links */
const at = (...links) => ({
  groupOf,
  rateOf: (/** @type {{link: string}} */ { link }) =>
    links.includes(link) ? "learning_rate" : null,
});

/** @param {string} link @param {Record<string, unknown>} [hyperparameters] */
const linkOf = (link, hyperparameters = {}) => ({ link, hyperparameters });

/**
 * @param {string} words links of the main chain
 * @param {string[]} [tracks]
 * @param {import("../../js/design/chain_node.js").GroupNode[]} [groups]
 * @returns {State}
 */
const design = (words, tracks = [], groups = []) => ({
  schedule: constant(10, 1),
  tracks: Object.fromEntries(tracks.map((name, i) => [name, constant(10, i)])),
  chain: { links: words.split(" ").map((word) => linkOf(word)), groups },
});

const labels = (/** @type {State} */ { chain }) => labelsOf(linksOf(chain, null)).join(" ");
/** What each track was before, by its height, under the name that it has now. @param {State} state */
const tracks = (state) =>
  Object.fromEntries(
    Object.entries(state.tracks).map(([name, node]) => [
      name,
      /** @type {any} */ (node).parameters.value,
    ]),
  );

test("the second link of a kind is numbered", () => {
  assert.equal(labels(design("clip adamw clip ema clip")), "clip adamw clip_2 ema clip_3");
});

test("tracks follow a link that moves, whatever it is called then", () => {
  const before = design("clip adamw clip", ["clip.max", "clip_2.max", "adamw.b1"]);
  const after = moveLink(before, null, 2, 0);
  assert.equal(labels(after), "clip clip_2 adamw");
  assert.deepEqual(tracks(after), { "clip_2.max": 0, "clip.max": 1, "adamw.b1": 2 });
  assert.equal(linksOf(after.chain, null)[0], linksOf(before.chain, null)[2]);
  assert.deepEqual(tracks(moveLink(after, null, 0, 2)), tracks(before));
});

test("a link that stays or would leave the list moves nothing", () => {
  const state = design("clip adamw");
  assert.equal(moveLink(state, null, 1, 1), state);
  assert.equal(moveLink(state, null, 0, -1), state);
  assert.equal(moveLink(state, null, 1, 2), state);
});

test("a link takes its tracks with it, and the others are called anew", () => {
  const groups = [{ name: "head", kinds: ["bias"], links: [linkOf("clip"), linkOf("clip")] }];
  const names = ["clip.max", "clip_2.max", "head/clip.max", "head/clip_2.max"];
  const main = removeLink(design("clip adamw clip", names, groups), null, 0);
  assert.equal(labels(main), "adamw clip");
  assert.deepEqual(tracks(main), { "clip.max": 1, "head/clip.max": 2, "head/clip_2.max": 3 });
  const group = removeLink(design("clip adamw clip", names, groups), 0, 0);
  assert.equal(labels(group), "clip adamw clip_2");
  assert.deepEqual(tracks(group), { "clip.max": 0, "clip_2.max": 1, "head/clip.max": 3 });
});

test("without its last link there is no chain", () => {
  const { chain, tracks: none } = removeLink(design("adamw", ["adamw.b1"]), null, 0);
  assert.deepEqual([chain, none], [null, {}]);
});

test("a link goes where it works: before the optimizer, after it, or in its place", () => {
  const place = (/** @type {string} */ link, /** @type {string} */ words) =>
    placeFor(
      words.split(" ").map((word) => linkOf(word)),
      link,
      groupOf,
    );
  assert.deepEqual(place("clip", "ema adamw greedy"), { at: 1, replaces: false });
  assert.deepEqual(place("multi_steps", "clip adamw"), { at: 1, replaces: false });
  assert.deepEqual(place("ema", "clip adamw"), { at: 2, replaces: false });
  assert.deepEqual(place("greedy", "clip adamw ema"), { at: 3, replaces: false });
  assert.deepEqual(place("prodigy", "clip adamw ema"), { at: 1, replaces: true });
  assert.deepEqual(place("clip", "ema"), { at: 1, replaces: false });
  assert.deepEqual(place("sgd", "ema"), { at: 1, replaces: false });
});

test("another optimizer takes the tracks of numbers that it has too", () => {
  const groups = [{ name: "head", paths: ["head/*"], links: [linkOf("adamw")] }];
  const before = design("clip adamw", ["head/adamw.learning_rate", "head/adamw.b1"], groups);
  const sgd = linkOf("sgd", { learning_rate: 0.1 });
  const after = addLink(before, 0, sgd, { at: 0, replaces: true });
  assert.deepEqual(linksOf(after.chain, 0), [sgd]);
  assert.deepEqual(tracks(after), { "head/sgd.learning_rate": 0 });
  assert.equal(labels(addLink(before, null, sgd, { at: 1, replaces: true })), "clip sgd");
});

test("a chain begins with its first link", () => {
  const state = { ...design("adamw", ["b1"]), chain: null };
  const { chain, tracks: kept } = addLink(state, null, linkOf("adamw"), { at: 0, replaces: false });
  assert.deepEqual(chain, { links: [linkOf("adamw")], groups: [] });
  assert.deepEqual(Object.keys(kept), ["b1"], "Python knows what it is an address of");
});

test("a hyperparameter is set, and what Python alone can read is kept", () => {
  const before = design("clip adamw", ["adamw.b1"]);
  const masked = setHyperparameter(before, null, 1, "mask", KEPT);
  const after = setHyperparameter(masked, null, 1, "weight_decay", 0.1);
  assert.deepEqual(linksOf(after.chain, null)[1].hyperparameters, {
    mask: KEPT,
    weight_decay: 0.1,
  });
  assert.equal(after.tracks, before.tracks);
  assert.deepEqual(
    linksOf(before.chain, null)[1].hyperparameters,
    {},
    "nothing is changed in place",
  );
});

test("groups come with names of their own, and go with their tracks", () => {
  let state = addGroup(addGroup(design("adamw")));
  assert.deepEqual(
    state.chain?.groups.map(({ name }) => name),
    ["group", "group_2"],
  );
  state = { ...state, tracks: design("x", ["group/scale.step_size", "group_2/x.y"]).tracks };
  state = changeGroup(state, 0, { name: "head" });
  assert.deepEqual(tracks(state), { "head/scale.step_size": 0, "group_2/x.y": 1 });
  state = matchGroup(state, 0, "paths", ["head/*"]);
  assert.deepEqual(JSON.parse(JSON.stringify(state.chain?.groups[0])), {
    name: "head",
    multiplier: 1,
    paths: ["head/*"],
  });
  assert.deepEqual(tracks(removeGroup(state, 0)), { "group_2/x.y": 1 });
});

test("a group's own chain begins as what the others have", () => {
  const groups = [{ name: "head", kinds: ["norm"], multiplier: 0.5 }];
  const names = ["clip_2.max", "adamw.b1", "head/scale.step_size"];
  const before = design("clip adamw clip", names, groups);
  const own = giveChain(before, 0, true, at("adamw"));
  assert.deepEqual(
    linksOf(own.chain, 0).map(({ link }) => link),
    ["adamw", "clip"],
  );
  assert.deepEqual(tracks(own), {
    "clip_2.max": 0,
    "adamw.b1": 1,
    "head/clip.max": 0,
    "head/adamw.b1": 1,
    "head/adamw.learning_rate": 1,
  });
  assert.equal(own.tracks["head/adamw.learning_rate"], before.schedule);
  const back = giveChain(own, 0, false, at("adamw"));
  assert.deepEqual(tracks(back), { "clip_2.max": 0, "adamw.b1": 1 });
  assert.equal(back.chain?.groups[0].multiplier, 1);
});

test("a group's own chain has the curve where the others have it", () => {
  const groups = [{ name: "head", kinds: ["norm"], multiplier: 1 }];
  const split = design("clip scale_by_adam scale_by_learning_rate", [], groups);
  const own = giveChain(split, 0, true, at("scale_by_learning_rate"));
  assert.deepEqual(Object.keys(own.tracks), ["head/scale_by_learning_rate.learning_rate"]);
  assert.deepEqual(giveChain(split, 0, true, at()).tracks, {});
});

test("a group is given by paths, by kinds, or by a mask that only Python can show", () => {
  assert.deepEqual(matchOf({ name: "a", paths: ["x/*", "y"] }), ["paths", "x/*, y"]);
  assert.deepEqual(matchOf({ name: "a", kinds: ["bias"] }), ["kinds", "bias"]);
  assert.deepEqual(matchOf({ name: "a", kinds: [] }), ["kinds", ""]);
  assert.deepEqual(matchOf({ name: "a", mask: KEPT }), ["mask", null]);
});

test("the curve of the main chain that is no track is its learning rate, at its default too", () => {
  const known = createDeclarations();
  const told = (/** @type {string} */ link, /** @type {string[]} */ ...names) => [
    {
      link,
      label: link,
      hyperparameters: names.map(
        (name) => /** @type {any} */ ({ name, value: 1, scheduled: true, default: false }),
      ),
    },
  ];
  known.learn(
    told("polyak_sgd", "scaling", "max_learning_rate"),
    [linkOf("polyak_sgd")],
    ["polyak_sgd.scaling"],
  );
  known.learn(told("sgd", "momentum"), [linkOf("sgd")]);
  assert.equal(known.rate("polyak_sgd"), "max_learning_rate");
  assert.equal(known.rate("sgd"), undefined, "that of a group is a track");
  assert.equal(known.value(linkOf("polyak_sgd"), "max_learning_rate"), 1);
});

const links = [
  { name: "sgd_2", help: "another", group: "Optimizers", hyperparameters: {} },
  { name: "noisy_sgd", help: "like sgd with noise", group: "Optimizers", hyperparameters: {} },
  { name: "sgd", help: "gradient descent", group: "Optimizers", hyperparameters: {} },
  { name: "clip_by_global_norm", help: "bounds", group: "Gradients", hyperparameters: {} },
];

test("the palette finds every word, and names that begin so first", () => {
  const names = (/** @type {string} */ text) => found(links, text).map(({ name }) => name);
  assert.deepEqual(names(""), ["sgd_2", "noisy_sgd", "sgd", "clip_by_global_norm"]);
  assert.deepEqual(names("sgd"), ["sgd", "sgd_2", "noisy_sgd"]);
  assert.deepEqual(names("Clip by"), ["clip_by_global_norm"]);
  assert.deepEqual(names("gradients bounds"), ["clip_by_global_norm"]);
  assert.deepEqual(names("adamw"), []);
});

test("a field takes what Python takes, and says the rule for the rest", () => {
  const b2 = { name: "b2", low: 0, high: 1, low_open: false, high_open: true };
  const number = { ...b2, kind: /** @type {const} */ ("number"), optional: false };
  assert.deepEqual(parseValue(number, "1e-3*3"), { value: 0.003 });
  assert.equal(parseValue(number, "1").error, "b2 must be a finite number >= 0 and < 1, got 1");
  assert.match(parseValue(number, "").error ?? "", /write a number/);
  assert.match(parseValue(number, "much").error ?? "", /much/);
  const whole = { ...number, kind: /** @type {const} */ ("integer"), low: 1, high: null };
  assert.deepEqual(parseValue(whole, "1 000"), { value: 1000 });
  assert.match(parseValue(whole, "2.5").error ?? "", /whole number >= 1/);
  for (const text of ["", " none "]) {
    assert.deepEqual(parseValue({ ...whole, optional: true }, text), { value: Number.NaN });
  }
});

test("a link in words: what is at its default is left out, a single number needs no name", () => {
  const known = createDeclarations();
  const node = linkOf("adamw", { weight_decay: 0.01, learning_rate: 1e-3, b1: 0.9, mask: KEPT });
  /** @type {Record<string, import("../../js/design/chain_words.js").Mode>} */
  const modes = { learning_rate: "curve" };
  const mode = (/** @type {string} */ name) => modes[name] ?? "number";
  const words = () => summary(known.told(node, mode), (name) => known.value(node, name), mode);
  assert.match(words(), /b1 0\.9/, "before Python has said what the default is");
  const told = [
    {
      link: "adamw",
      label: "adamw",
      hyperparameters: /** @type {any} */ ([
        { name: "learning_rate", value: null, default: false, live: true },
        { name: "b1", value: 0.9, default: true, live: true },
        { name: "weight_decay", value: 0.01, default: false, live: true },
        { name: "mask", value: "set", default: false, live: false },
      ]),
    },
  ];
  const { b1: _, ...kept } = node.hyperparameters;
  known.learn(told, [linkOf("adamw", kept)]);
  assert.equal(words(), "learning_rate = curve · weight_decay 0.01 · mask set");
  modes.b1 = "track";
  assert.equal(words(), "learning_rate = curve · b1 = track · weight_decay 0.01 · mask set");
  assert.equal(known.value(linkOf("adamw"), "b1"), 0.9);
  assert.deepEqual([known.live("adamw", "b1"), known.live("adamw", "mask")], [true, false]);
  assert.equal(
    summary(
      ["max_norm"],
      () => 1,
      () => "number",
    ),
    "1",
  );
});

test("a dragged link falls into the nearest gap of rows that wrap", () => {
  const box = (/** @type {number} */ left, /** @type {number} */ top, width = 100) => ({
    left,
    top,
    right: left + width,
    bottom: top + 30,
  });
  const boxes = [box(0, 0), box(120, 0), box(0, 40, 500), box(0, 80)];
  const gap = (/** @type {number} */ x, /** @type {number} */ y) => gapAt(boxes, x, y, 400);
  assert.deepEqual([gap(10, 10), gap(90, 10), gap(130, 10)], [0, 1, 1]);
  assert.deepEqual([gap(300, 10), gap(300, 50), gap(300, 60)], [2, 2, 3], "a row of its own");
  assert.deepEqual([gap(90, 90), gap(0, 300), gap(0, -50)], [4, 4, 0]);
});
