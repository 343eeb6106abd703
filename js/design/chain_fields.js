/**
 * The fields of a link: numbers, switches and choices. What only Python can set is shown.
 */

import { violation } from "../schedule/model.js";
import { button, numberField, select } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";
import { valueText } from "./chain_words.js";

/** @typedef {import("./chain_words.js").Hyperparameter} Hyperparameter */
/** @typedef {import("./chain_words.js").Mode} Mode */
/** @typedef {{element: HTMLElement, update: (value: any, mode: Mode) => void}} Field */

const NONE = "none";
const DTYPES = ["bfloat16", "float16", "float32", "float64"];
const WAVE = "M1 13C7 13 6 3 15 3";

/**
 * @param {Pick<Hyperparameter, "name" | "kind" | "optional"> & import("../schedule/declarations.js").Range}
 *   declared
 * @param {string} text
 * @returns {{value?: number, error?: string}} NaN where the field was emptied and may be
 */
export function parseValue(declared, text) {
  if (declared.optional && /^\s*(none)?\s*$/i.test(text)) {
    return { value: Number.NaN };
  }
  const parsed = parseNumber(text);
  if (parsed.value === undefined) {
    return parsed;
  }
  // A tenth of 3e-3 is 3e-4, not 3.0000000000000003e-4.
  const value = Number(parsed.value.toPrecision(12));
  const rule = violation(declared.name, { ...declared, whole: declared.kind === "integer" }, value);
  return rule ? { error: rule } : { value };
}

/**
 * @param {object} options
 * @param {Hyperparameter} options.declared
 * @param {() => string} options.address
 * @param {string} [options.hook]
 * @param {() => boolean} options.live whether it can become a track, once it is a number
 * @param {(value: unknown) => Promise<string | null>} options.set Resolves with a refusal.
 * @param {(value: number | null) => void} options.bend a track that begins with this value, or none
 * @param {() => void} options.show shows it on the canvas
 * @param {AbortSignal} options.signal
 * @returns {Field}
 */
export function createField(options) {
  const { declared, address, hook = `chain-field-${address()}`, set, signal } = options;
  const { name, kind, help: title } = declared;
  if (kind === "number" || kind === "integer") {
    return createNumber({ ...options, hook });
  }
  if (kind === "flag") {
    const box = h("input", {
      type: "checkbox",
      hook,
      signal,
      on: { change: () => set(box.checked) },
    });
    return {
      element: h("label", { class: "lrw-check", title }, box, name),
      update(value) {
        box.checked = Boolean(value);
      },
    };
  }
  if (kind === "choice" || kind === "dtype") {
    const choices = kind === "dtype" ? DTYPES : declared.choices;
    const list = select({
      label: name,
      choices: [...(declared.optional || kind === "dtype" ? [NONE] : []), ...choices].map(
        (value) => ({ value, label: value }),
      ),
      value: "",
      onChange: (value) => set(value === NONE ? null : value),
      hook,
      signal,
    });
    list.select.title = title;
    return { element: list.element, update: (value) => list.set(value ?? NONE) };
  }
  const text = h("span", { class: "lrw-fixed", hook });
  return {
    element: h(
      "span",
      { class: "lrw-field", title: `${title} (set in Python)` },
      h("span", { class: "lrw-label" }, name),
      text,
    ),
    update: (value) => setText(text, valueText(value)),
  };
}

/**
 * A number, which can become a track and come back from there.
 *
 * @param {Parameters<typeof createField>[0] & {hook: string}} options
 * @returns {Field}
 */
function createNumber({ declared, address, hook, live, set, bend, show, signal }) {
  const { name, kind, optional } = declared;
  const field = numberField({
    label: name,
    value: null,
    title: declared.help,
    placeholder: optional ? NONE : undefined,
    parse: (text) => parseValue(declared, text),
    format: (value) =>
      Number.isNaN(value) ? "" : kind === "integer" ? formatSteps(value) : formatRate(value),
    onCommit: async (value) => (await set(Number.isNaN(value) ? null : value)) ?? undefined,
    hook,
    signal,
  });
  let number = 0;
  let shown = /** @type {Mode} */ ("number");
  const drawn = button({
    label: "",
    onClick: show,
    signal,
  });
  drawn.classList.add("lrw-drawn");
  const toggle = button({
    label: "",
    icon: WAVE,
    name: `${name} as a track`,
    title: "draw it over the steps",
    onClick: () => bend(shown === "track" ? null : number),
    signal,
  });
  toggle.classList.add("lrw-bend");
  field.input.after(drawn, toggle);
  return {
    element: field.element,
    update(value, mode) {
      shown = mode;
      number = value;
      field.set(value);
      field.input.hidden = mode !== "number";
      drawn.hidden = mode === "number";
      setText(drawn, `= ${mode}`);
      setAttribute(drawn, "aria-label", `${name} = ${mode}, show it on the canvas`);
      // A group that is called otherwise has other addresses.
      setAttribute(drawn, "data-lrw", `chain-show-${address()}`);
      setAttribute(toggle, "data-lrw", `chain-track-${address()}`);
      setAttribute(toggle, "aria-pressed", String(mode === "track"));
      toggle.hidden = !live();
      // The learning rate stays the curve; what is none has no value to begin with.
      const none = mode === "number" && value === null;
      toggle.style.visibility = mode === "curve" || none ? "hidden" : "";
    },
  };
}
