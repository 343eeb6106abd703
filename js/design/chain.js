/**
 * The optimizer chain under the canvas: its links in order, and its groups of parameters.
 */

import { button, createNote } from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { createGroups } from "./chain_groups.js";
import { createLinks, focusedIn } from "./chain_links.js";
import { addLink, isOptimizer } from "./chain_node.js";
import { createWarnings } from "./chain_warnings.js";
import { createDeclarations } from "./chain_words.js";
import { LEARNING_RATE } from "./commits.js";

/** @typedef {import("./chain_node.js").State} State */
/** @typedef {import("./chain_palette.js").LinkDeclaration} LinkDeclaration */

/** What a chain begins with: most people's optimizer, whose required numbers are in the catalogue. */
const FIRST = "adamw";
const HINT = "Click a link for its numbers · drag it, or arrow keys on its handle, to move it";

/**
 * @param {object} host
 * @param {() => any} host.design what Python says
 * @param {LinkDeclaration[]} host.links
 * @param {() => State} host.state what is shown
 * @param {(next: State, words?: string) => Promise<string | null>} host.change
 * @param {(address: string, value: number | null) => Promise<string | null>} host.bend
 * @param {(address: string) => void} host.show
 * @param {(text: string) => void} host.announce
 * @param {AbortSignal} host.signal
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function createChain({ design, links, state, change, bend, show, announce, signal }) {
  const known = createDeclarations();
  const note = createNote();
  /** @type {unknown} */
  let learnt = null;
  /** @type {string[]} of the warnings */
  let texts = [];
  /** @type {unknown} */
  let shown = null;

  /** @type {import("./chain_links.js").Editor} */
  const editor = {
    state,
    change(next, words) {
      fail(null);
      return change(next, words);
    },
    fail,
    async bend(address, value) {
      fail(null);
      const refusal = await bend(address, value);
      if (refusal !== null) {
        note.fail(refusal);
      }
    },
    show,
    known,
    links,
    groupOf(link) {
      const offered = links.find(({ name }) => name === link);
      const category = known.of(link)?.category ?? offered?.category;
      return category === "optimizer" || category === "free"
        ? "Optimizers"
        : (offered?.group ?? "");
    },
    rateOf(link) {
      const usual = isOptimizer(editor.groupOf(link.link)) ? LEARNING_RATE : null;
      const name = known.rate(link.link) ?? usual;
      // None means that the link follows the chain's rate, which is another's.
      return name !== null && known.value(link, name) !== null ? name : null;
    },
    warnings: (label) =>
      (design().chain_warnings ?? [])
        .filter((/** @type {{label: string}} */ each) => each.label === label)
        .map((/** @type {{text: string}} */ each) => each.text),
  };

  /** @param {string | null} refusal */
  function fail(refusal) {
    if (refusal === null) {
      note.say("");
    } else {
      note.fail(refusal);
      announce(refusal);
    }
  }

  const list = createLinks(editor, null, signal);
  const groups = createGroups(editor, signal);
  const warnings = createWarnings();
  const start = button({
    label: "Add AdamW",
    hook: "chain-start",
    onClick: async () => {
      const hyperparameters = links.find(({ name }) => name === FIRST)?.hyperparameters ?? {};
      const link = { link: FIRST, hyperparameters };
      const next = addLink(state(), null, link, { at: 0, replaces: false });
      fail(await editor.change(next, `${FIRST} added`));
    },
    signal,
  });
  const empty = h(
    "p",
    { class: "lrw-chain-empty" },
    "The curve alone is designed; a chain is the optimizer that it steers. ",
    start,
  );
  const full = h(
    "div",
    { class: "lrw-chain-full" },
    list.element,
    warnings.element,
    groups.element,
  );

  return {
    element: h(
      "div",
      {
        class: "lrw-chain",
        role: "group",
        "aria-label": "optimizer chain",
        hook: "chain",
      },
      h(
        "div",
        { class: "lrw-chain-head" },
        h("span", { class: "lrw-inspector-title" }, "Optimizer"),
        note.element,
      ),
      empty,
      full,
    ),
    update() {
      const told = design();
      if (learnt !== told) {
        const warned = texts;
        texts = (told.chain_warnings ?? []).map((/** @type {{text: string}} */ { text }) => text);
        const fresh = texts.filter((text) => !warned.includes(text));
        if (learnt && fresh.length > 0) {
          announce(fresh.join(" "));
        }
        learnt = told;
        const { links: nodes, groups: own } = told.chain_node ?? { links: [], groups: [] };
        const tracks = (told.tracks ?? []).map((/** @type {{name: string}} */ { name }) => name);
        known.learn(told.chain ?? [], nodes, tracks);
        for (const [i, { chain }] of (told.groups ?? []).entries()) {
          known.learn(chain ?? [], own[i].links ?? []);
        }
      }
      const { chain } = state();
      const left = focusedIn(chain ? empty : full);
      empty.hidden = chain !== null;
      full.hidden = chain === null;
      note.setRest(chain ? HINT : "");
      if (shown !== chain) {
        // A refusal is about what was tried before.
        shown = chain;
        fail(null);
      }
      list.update();
      groups.update();
      warnings.show(editor.warnings(""));
      if (left) {
        (chain ? list.element.querySelector("button") : start)?.focus();
      }
    },
  };
}
