/**
 * Groups of parameters as rows: which they are, and what they take instead of the chain's update.
 */

import { button, select, textField } from "../shared/controls.js";
import { h, setAttribute } from "../shared/dom.js";
import { createField } from "./chain_fields.js";
import { createLinks, focusedIn } from "./chain_links.js";
import {
  addGroup,
  changeGroup,
  giveChain,
  matchGroup,
  matchOf,
  removeGroup,
} from "./chain_node.js";
import { createWarnings } from "./chain_warnings.js";

/** @typedef {import("./chain_links.js").Editor} Editor */
/** @typedef {import("./chain_node.js").State} State */

/** What a group is given by, and with which words each way begins. @type {Record<string, string[]>} */
const FIRST = { kinds: ["bias"], paths: ["*"], mask: [] };
const MATCH =
  'separated by commas; kinds are kernel, bias, norm and embedding, paths such as "layers/0/*"';

/** @type {import("./chain_words.js").Hyperparameter} */
const MULTIPLIER = {
  name: "times",
  kind: "number",
  value: 1,
  default: false,
  scheduled: false,
  live: true,
  optional: false,
  choices: [],
  low: 0,
  high: null,
  low_open: false,
  high_open: false,
  help: "what the chain's update of these parameters is multiplied by",
};

/**
 * @param {Editor} editor
 * @param {AbortSignal} signal
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function createGroups(editor, signal) {
  /** @type {ReturnType<typeof createGroup>[]} */
  const rows = [];
  const list = h("div", { class: "lrw-groups" });
  const groups = () => editor.state().chain?.groups ?? [];
  const add = button({
    label: "+ group",
    name: "add a group of parameters",
    title: "parameters that take another rate, or a chain of their own",
    hook: "chain-group-add",
    onClick: async () => {
      const answer = editor.change(addGroup(editor.state()), "group added");
      rows.at(-1)?.focus();
      editor.fail(await answer);
    },
    signal,
  });

  /** @param {number} index */
  async function remove(index) {
    const words = `group ${groups()[index].name} removed`;
    const answer = editor.change(removeGroup(editor.state(), index), words);
    (rows[Math.min(index, rows.length - 1)] ?? add).focus();
    editor.fail(await answer);
  }

  const order = h(
    "span",
    { class: "lrw-note" },
    "A parameter belongs to the first that it matches.",
  );

  return {
    element: h(
      "div",
      { class: "lrw-chain-groups" },
      list,
      h("div", { class: "lrw-group-add" }, add, " ", order),
    ),
    update() {
      order.hidden = groups().length < 2;
      const focused = focusedIn(list);
      const [before, now] = [rows.map((row) => row.group()), groups().map(({ name }) => name)];
      if (before.length !== now.length) {
        // What was typed into a row is not for another group that comes to stand there.
        const moved = before.findIndex(
          (name, i) => name !== now[i] && (now.includes(name) || before.includes(now[i])),
        );
        for (const row of moved < 0 ? [] : rows.splice(moved)) {
          row.dispose();
        }
      }
      while (rows.length > now.length) {
        rows.pop()?.dispose();
      }
      while (rows.length < now.length) {
        const index = rows.length;
        const row = createGroup(editor, index, () => remove(index), signal);
        rows.push(row);
        list.append(row.element);
      }
      for (const row of rows) {
        row.update();
      }
      if (focused && !list.contains(focused)) {
        add.focus({ preventScroll: true });
      }
    },
  };
}

/**
 * @param {Editor} editor
 * @param {number} index
 * @param {() => void} remove
 * @param {AbortSignal} outer
 */
function createGroup(editor, index, remove, outer) {
  const life = new AbortController();
  const signal = AbortSignal.any([life.signal, outer]);
  const hook = (/** @type {string} */ name) => `chain-group-${name}-${index}`;
  const state = () => editor.state();
  const group = () => /** @type {any} */ (state().chain?.groups[index]);
  const address = () => `${group().name}/scale.step_size`;
  let shown = "";

  /** @param {State} next */
  const change = async (next) => editor.fail(await editor.change(next));

  /**
   * @param {string} label
   * @param {string} title
   * @param {(text: string) => State} edit
   */
  const text = (label, title, edit) =>
    textField({
      label,
      title,
      onCommit: async (words) => (await editor.change(edit(words))) ?? undefined,
      hook: hook(label),
      signal,
    });
  const name = text("name", "the word in addresses and in the history", (words) =>
    changeGroup(state(), index, { name: words }),
  );
  const match = text("match", MATCH, (words) =>
    matchGroup(state(), index, matchOf(group())[0], wordsOf(words)),
  );
  const choose = select({
    label: "by",
    choices: [],
    value: "",
    onChange: (value) => change(matchGroup(state(), index, value, FIRST[value])),
    hook: hook("by"),
    signal,
  });
  const own = select({
    label: "takes",
    choices: [
      { value: "times", label: "the update, times" },
      { value: "chain", label: "a chain of its own" },
    ],
    value: "",
    onChange: (value) => change(giveChain(state(), index, value === "chain", editor)),
    hook: hook("chain"),
    signal,
  });
  const multiplier = createField({
    declared: MULTIPLIER,
    address,
    hook: hook("multiplier"),
    live: () => true,
    set: (value) => editor.change(changeGroup(state(), index, { multiplier: Number(value) })),
    bend: (value) => editor.bend(address(), value),
    show: () => editor.show(address()),
    signal,
  });
  const links = createLinks(editor, index, signal);
  const warnings = createWarnings();
  const element = h(
    "div",
    { class: "lrw-group", role: "group", hook: `chain-group-${index}` },
    h(
      "div",
      { class: "lrw-group-fields" },
      name.element,
      choose.element,
      match.element,
      own.element,
      multiplier.element,
      button({
        label: "Remove",
        name: "remove this group",
        onClick: remove,
        hook: hook("remove"),
        signal,
      }),
    ),
    links.element,
    warnings.element,
  );

  function update() {
    const now = group();
    shown = now.name;
    setAttribute(element, "aria-label", `group ${now.name}`);
    name.set(now.name);
    const ways = Object.keys(FIRST).filter((each) => each !== "mask" || now.mask);
    choose.setChoices(ways.map((value) => ({ value, label: value })));
    const [by, words] = /** @type {[string, any]} */ (matchOf(now));
    choose.set(by);
    match.element.hidden = by === "mask";
    match.set(words);
    own.set(now.links ? "chain" : "times");
    multiplier.element.hidden = Boolean(now.links);
    multiplier.update(now.multiplier ?? 1, address() in state().tracks ? "track" : "number");
    links.element.hidden = !now.links;
    links.update();
    warnings.show(editor.warnings(now.name));
  }

  return {
    element,
    update,
    /** @returns {string} the name of the group that it shows */
    group: () => shown,
    focus() {
      name.input.focus();
      name.input.select();
    },
    dispose() {
      life.abort();
      element.remove();
    },
  };
}

/** @param {string} text */
const wordsOf = (text) =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);
