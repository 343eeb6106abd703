import assert from "node:assert/strict";
import { test } from "node:test";

import { picturePath } from "../../js/design/gallery.js";
import { rangedCatalogue } from "../../js/design/tracks.js";
import { declarationOf } from "../../js/schedule/model.js";
import { nextItem } from "../../js/shared/menu.js";
import { matches } from "../../js/shared/search_menu.js";
import { catalogue } from "./schedule_catalogue.js";

test("a preset's picture goes from edge to edge", () => {
  assert.equal(picturePath([0, 0.5, 1]), "M0.0 32.0L48.0 16.0L96.0 0.0");
});

test("presets are found by every word of what is said of them", () => {
  const preset = ["warmup_cosine", "A linear warmup, then half a cosine.", "Warmup"];
  assert.ok(["", "cos", "Warm COS", "half linear"].every((text) => matches(preset, text)));
  assert.ok(!matches(preset, "cosine restarts"));
});

test("the arrows go through a menu, and through cards in rows", () => {
  const at = (/** @type {number} */ offsetLeft, /** @type {number} */ offsetTop) => ({
    offsetLeft,
    offsetTop,
  });
  const cards = [at(0, 0), at(100, 0), at(200, 0), at(0, 60), at(0, 150), at(100, 150)];
  const next = (/** @type {number} */ from, /** @type {string} */ key) =>
    nextItem(cards, from, key);
  assert.deepEqual(
    [next(0, "ArrowRight"), next(2, "ArrowRight"), next(5, "ArrowRight")],
    [1, 3, 5],
  );
  assert.deepEqual([next(0, "ArrowLeft"), next(3, "ArrowLeft")], [-1, 2]);
  assert.deepEqual([next(2, "ArrowDown"), next(3, "ArrowDown"), next(5, "ArrowDown")], [3, 4, 5]);
  assert.deepEqual([next(5, "ArrowUp"), next(3, "ArrowUp"), next(1, "ArrowUp")], [3, 0, 1]);
  assert.deepEqual([next(3, "Home"), next(1, "End"), next(1, "x")], [0, 5, -1]);
  assert.deepEqual([next(-1, "ArrowDown"), next(-1, "ArrowLeft"), next(-1, "Home")], [0, -1, -1]);
  assert.equal(nextItem([], -1, "ArrowDown"), -1);
});

test("values keep within the range of the active track, lengths and free parameters do not", () => {
  let range = {
    low: /** @type {number | null} */ (null),
    high: /** @type {number | null} */ (null),
  };
  const ranged = rangedCatalogue(catalogue, () => range);
  assert.equal(ranged.shapes, catalogue.shapes);
  range = { low: 0, high: 1 };
  const [from, to, exponent] = declarationOf(ranged, "cosine").parameters;
  assert.equal(exponent, declarationOf(catalogue, "cosine").parameters[2]);
  assert.deepEqual([from.high, to.high], [1, 1]);
  assert.equal(declarationOf(ranged, "exponential").parameters[0].low_open, true);
  assert.equal(ranged.shapes, ranged.shapes, "asked at each drawing");
  range = { low: null, high: null };
  assert.equal(declarationOf(ranged, "cosine").parameters[0].high, null);
});
