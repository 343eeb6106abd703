/**
 * A list of links with arrows between them: the chain itself, or that of a group.
 */

import { h } from "../shared/dom.js";
import { createCard } from "./chain_card.js";
import { createDrag } from "./chain_drag.js";
import {
  addLink,
  labelsOf,
  linksOf,
  moveLink,
  placeFor,
  prefixOf,
  removeLink,
} from "./chain_node.js";
import { createPalette } from "./chain_palette.js";

/** @typedef {import("./chain_node.js").State} State */
/** @typedef {import("./chain_node.js").Where} Where */
/** @typedef {ReturnType<typeof createCard>} Card */

/**
 * What every part of the chain's editor works with.
 *
 * @typedef {object} Editor
 * @property {() => State} state
 * @property {(next: State, words?: string) => Promise<string | null>} change One undo step; said to
 *   screen readers in `words`. Resolves with a refusal.
 * @property {(refusal: string | null) => void} fail
 * @property {(address: string, value: number | null) => void} bend a new track or none
 * @property {(address: string) => void} show
 * @property {ReturnType<typeof import("./chain_words.js").createDeclarations>} known
 * @property {import("./chain_palette.js").LinkDeclaration[]} links
 * @property {(link: string) => string} groupOf the palette's group of a link
 * @property {(link: import("./chain_node.js").LinkNode) => string | null} rateOf which number of a
 *   link of the main chain the curve is
 * @property {(label: string) => string[]} warnings
 */

/**
 * @param {Editor} editor
 * @param {Where} where
 * @param {AbortSignal} signal
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function createLinks(editor, where, signal) {
  const suffix = where === null ? "" : `-${where}`;
  const place = where === null ? "the chain" : "the group's chain";
  const palette = createPalette({
    links: editor.links,
    replaced: () => {
      const { at, replaces } = placeFor(links(), "adamw", editor.groupOf);
      return replaces ? labelsOf(links())[at] : null;
    },
    choose: ({ name, hyperparameters }) => {
      const spot = placeFor(links(), name, editor.groupOf);
      const words = spot.replaces ? `in place of ${labelsOf(links())[spot.at]}` : "added";
      apply(addLink(editor.state(), where, { link: name, hyperparameters }, spot), {
        words: `${name} ${words}`,
        focus: spot.at,
        open: true,
      });
    },
    hook: `chain-add${suffix}`,
    name: `add a link to ${place}`,
    signal,
  });
  const add = palette.querySelector("button");
  const last = h("li", { class: "lrw-link-add" }, palette);
  const list = h(
    "ol",
    { class: "lrw-links", role: "list", "aria-label": `links of ${place}` },
    last,
  );
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {Set<string>} labels of the links whose fields are shown */
  let open = new Set();
  let prefix = "";

  const links = () => linksOf(editor.state().chain, where);
  const ordered = () => labelsOf(links()).flatMap((label) => cards.get(label) ?? []);
  const press = createDrag({
    list,
    items: () => ordered().map(({ element }) => element),
    drop: (from, to) => move(from, to),
    signal,
  });

  /**
   * @param {State} next
   * @param {object} then
   * @param {string} then.words
   * @param {number} [then.focus] index of the link that has the focus afterwards
   * @param {keyof Card["parts"]} [then.part] of it
   * @param {boolean} [then.open] whether its fields are to be shown
   */
  async function apply(next, { words, focus, part = "handle", open: opens = false }) {
    const before = links();
    const after = linksOf(next.chain, where);
    const [old, now] = [labelsOf(before), labelsOf(after)];
    // A link that is open stays so, under whatever label.
    open = new Set(
      now.filter((_, i) => (opens && i === focus) || open.has(old[before.indexOf(after[i])])),
    );
    const answer = editor.change(next, words);
    if (focus !== undefined) {
      (ordered()[Math.min(focus, after.length - 1)]?.parts[part] ?? add)?.focus();
    }
    editor.fail(await answer);
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {keyof Card["parts"]} [part] that has the focus, if it is one of the link's
   */
  function move(from, to, part) {
    const next = moveLink(editor.state(), where, from, to);
    if (next !== editor.state()) {
      const name = labelsOf(links())[from];
      const words = `${name} is link ${to + 1} of ${links().length}`;
      apply(next, { words, focus: part && to, part });
    }
  }

  /** @param {number} index */
  function remove(index) {
    const words = `${labelsOf(links())[index]} removed`;
    apply(removeLink(editor.state(), where, index), { words, focus: index });
  }

  /** @param {string} label */
  function cardOf(label) {
    const address = prefix + label;
    return createCard(editor, where, {
      address,
      move,
      remove,
      press,
      toggle() {
        open = new Set(open);
        if (!open.delete(label)) {
          open.add(label);
        }
        update();
      },
      signal,
    });
  }

  function update() {
    const focused = focusedIn(list);
    const now = prefixOf(editor.state().chain, where);
    const labels = labelsOf(links());
    for (const [label, card] of cards) {
      if (now !== prefix || !labels.includes(label)) {
        card.dispose();
        cards.delete(label);
      }
    }
    prefix = now;
    for (const [i, label] of labels.entries()) {
      const card = cards.get(label) ?? cardOf(label);
      cards.set(label, card);
      if (list.children[i] !== card.element) {
        list.insertBefore(card.element, list.children[i]);
      }
      card.update(i, open.has(label));
    }
    // What is put elsewhere in the page loses the focus, and so does what an undo takes away.
    (list.contains(focused) ? focused : focused && add)?.focus({ preventScroll: true });
  }

  return { element: list, update };
}

/**
 * @param {HTMLElement} element
 * @returns {HTMLElement | null} what has the focus, if it is in there
 */
export function focusedIn(element) {
  const { activeElement } = /** @type {Document} */ (element.getRootNode());
  return element.contains(activeElement) ? /** @type {HTMLElement} */ (activeElement) : null;
}
