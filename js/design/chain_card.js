/**
 * One link: a handle to move it by, what it is in a few words, and its fields when it is open.
 */

import { button, setDisabled, uniqueId } from "../shared/controls.js";
import { h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { createField } from "./chain_fields.js";
import { linksOf, setHyperparameter } from "./chain_node.js";
import { createWarnings } from "./chain_warnings.js";
import { summary } from "./chain_words.js";
import { LEARNING_RATE } from "./commits.js";

const HELP = "Arrow keys move it, Delete removes it";

/**
 * @param {import("./chain_links.js").Editor} editor
 * @param {import("./chain_node.js").Where} where
 * @param {object} own
 * @param {string} own.address the group, if any, and the label
 * @param {(from: number, to: number, part: "handle" | "up" | "down") => void} own.move The part
 *   has the focus, and keeps it.
 * @param {(index: number) => void} own.remove
 * @param {(event: PointerEvent, index: number) => void} own.press
 * @param {() => void} own.toggle
 * @param {AbortSignal} own.signal
 */
export function createCard(editor, where, { address, move, remove, press, toggle, ...own }) {
  const life = new AbortController();
  const signal = AbortSignal.any([life.signal, own.signal]);
  const { known } = editor;
  const bodyId = uniqueId();
  const hook = where === null ? "chain" : `chain-${where}`;
  const label = address.slice(address.indexOf("/") + 1);
  let index = 0;
  let count = 0;

  const grip = h(
    "button",
    { type: "button", class: "lrw-grip", title: HELP, signal, on: { keydown } },
    h("span", { ...UNSEEN }, "⠿"),
  );
  const words = h("span", { class: "lrw-muted" });
  const name = h(
    "button",
    {
      type: "button",
      class: "lrw-link-name",
      "aria-controls": bodyId,
      signal,
      on: { click: toggle, keydown: onDelete },
    },
    h("span", { class: "lrw-arrow", ...UNSEEN }, "▸"),
    h("span", { class: "lrw-link-label" }, label),
    " ",
    words,
  );
  /**
   * @param {string} label
   * @param {string} verb
   * @param {() => void} onClick
   */
  const tool = (label, verb, onClick) =>
    button({ label, name: verb, title: verb, onClick, signal });
  const earlier = tool("←", `move ${label} earlier`, () => move(index, index - 1, "up"));
  const later = tool("→", `move ${label} later`, () => move(index, index + 1, "down"));
  const gone = tool("Remove", `remove ${label}`, () => remove(index));
  const tools = h("span", { class: "lrw-joined" }, earlier, later, gone);
  const head = h(
    "div",
    {
      class: "lrw-link-head",
      signal,
      on: { pointerdown: (/** @type {PointerEvent} */ event) => press(event, index) },
    },
    grip,
    name,
  );
  const help = h("p", { class: "lrw-note" });
  const fields = h("div", { class: "lrw-link-fields" });
  const body = h(
    "div",
    { class: "lrw-link-body", id: bodyId, role: "group", "aria-label": label },
    help,
    fields,
    tools,
  );
  const warnings = createWarnings();
  const element = h(
    "li",
    { class: "lrw-link" },
    h("div", { class: "lrw-link-box" }, head, body, warnings.element),
  );
  const parts = { link: element, handle: grip, open: name, up: earlier, down: later, remove: gone };
  /** @type {Map<string, import("./chain_fields.js").Field>} */
  const shown = new Map();

  const state = () => editor.state();
  const node = () => linksOf(state().chain, where)[index];

  /** @param {KeyboardEvent} event */
  function keydown(event) {
    const to = {
      ArrowLeft: index - 1,
      ArrowUp: index - 1,
      ArrowRight: index + 1,
      ArrowDown: index + 1,
      Home: 0,
      End: count - 1,
    }[event.key];
    if (to !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      move(index, to, "handle");
    }
    onDelete(event);
  }

  /** @param {KeyboardEvent} event */
  function onDelete(event) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove(index);
    }
  }

  /**
   * @param {string} parameter
   * @returns {import("./chain_words.js").Mode}
   */
  function mode(parameter) {
    if (`${address}.${parameter}` in state().tracks) {
      return "track";
    }
    return where === null && editor.rateOf(node()) === parameter ? "curve" : "number";
  }

  /** @param {import("./chain_words.js").Hyperparameter} declared */
  function fieldOf(declared) {
    const own = `${address}.${declared.name}`;
    return createField({
      declared,
      address: () => own,
      live: () => known.live(node().link, declared.name),
      set: async (value) => {
        const next = setHyperparameter(state(), where, index, declared.name, value);
        const refusal = await editor.change(next);
        if (declared.kind !== "number" && declared.kind !== "integer") {
          editor.fail(refusal);
        }
        return refusal;
      },
      bend: (value) => editor.bend(own, value),
      show: () => editor.show(mode(declared.name) === "curve" ? LEARNING_RATE : own),
      signal,
    });
  }

  function showFields() {
    const part = known.of(node().link);
    setText(help, part?.help ?? "");
    for (const declared of part?.hyperparameters ?? []) {
      const { name: parameter } = declared;
      const field = shown.get(parameter) ?? fieldOf(declared);
      if (!shown.has(parameter)) {
        shown.set(parameter, field);
        fields.append(field.element);
      }
      field.update(known.value(node(), parameter), mode(parameter));
    }
  }

  return {
    element,
    parts,
    /**
     * @param {number} at
     * @param {boolean} open
     */
    update(at, open) {
      [index, count] = [at, linksOf(state().chain, where).length];
      for (const [part, which] of Object.entries(parts)) {
        which.dataset.lrw = `${hook}-${part}-${index}`;
      }
      setAttribute(grip, "aria-label", `move ${label}, link ${index + 1} of ${count}`);
      setAttribute(name, "aria-expanded", String(open));
      element.classList.toggle("lrw-open", open);
      setDisabled(earlier, index === 0, "it is the first");
      setDisabled(later, index === count - 1, "it is the last");
      setText(
        words,
        summary(known.told(node(), mode), (each) => known.value(node(), each), mode),
      );
      body.hidden = !open;
      if (open) {
        showFields();
      }
      warnings.show(editor.warnings(address));
    },
    dispose() {
      life.abort();
      element.remove();
    },
  };
}
