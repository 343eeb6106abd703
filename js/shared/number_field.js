/**
 * A field for a number with units, relative forms and an error of its own.
 */

import { h, setAttribute, setText } from "./dom.js";
import { uniqueId } from "./ids.js";

/**
 * @typedef {object} NumberFieldOptions
 * @property {string} label
 * @property {number | null} value
 * @property {(text: string) => {value?: number, error?: string}} parse
 * @property {(value: number) => string} format
 * @property {(value: number) => (void | string | Promise<void | string>)} onCommit Called on
 *   Enter, and when the field is left with another text than is shown or was refused. A returned string, or the message of
 *   a rejected promise, is shown as the field's error.
 * @property {AbortSignal} signal
 * @property {string} [hook] `data-lrw` of the input
 * @property {string} [unit] Short text behind the field, as "steps".
 * @property {boolean} [hideLabel] The label stays for screen readers only.
 * @property {string} [title]
 * @property {string} [placeholder]
 * @property {boolean} [commitOnBlur] If false, only Enter commits, and does so even when the text
 *   has not changed: for a field whose value is an order, not a setting.
 */

/**
 * @typedef {object} NumberField
 * @property {HTMLElement} element
 * @property {HTMLInputElement} input
 * @property {(value: number | null) => void} set Shows a value, unless the person is typing.
 * @property {(value: number | null) => void} reset Shows a value, whatever stood there.
 * @property {() => number | null} read What stands in the field, or null where it is wrong; an
 *   error is then shown.
 * @property {(text: string | null) => void} setError
 * @property {() => string} error What it says, or an empty text.
 * @property {(disabled: boolean) => void} setDisabled
 */

/**
 * A number with units and relative forms. Wrong input keeps its text, is marked, and the rule
 * stands under it; Escape brings the last good value back.
 *
 * @param {NumberFieldOptions} options
 * @returns {NumberField}
 */
export function numberField({
  label,
  value,
  parse,
  format,
  onCommit,
  signal,
  hook,
  unit,
  hideLabel = false,
  title,
  placeholder,
  commitOnBlur = true,
}) {
  const inputId = uniqueId();
  const errorId = uniqueId();
  let current = value;
  let shown = value === null ? "" : format(value);
  /** @type {string | null} what was refused and still stands there, its reason under it */
  let refused = null;
  /** @type {string | null} what was committed, waits for its answer and stands there as written */
  let sent = null;
  let commits = 0;

  const input = h("input", {
    type: "text",
    class: "lrw-input",
    id: inputId,
    hook,
    title,
    placeholder,
    inputmode: "text",
    autocomplete: "off",
    spellcheck: "false",
    signal,
    on: {
      change: () => {
        if (commitOnBlur && input.value !== refused) {
          commit();
        }
      },
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          commit();
        } else if (event.key === "Escape" && (input.value !== shown || hasError())) {
          event.preventDefault();
          event.stopPropagation();
          input.value = shown;
          setError(null);
        }
      },
    },
  });
  input.value = shown;
  const error = h("span", { class: "lrw-field-error", id: errorId });
  const element = h(
    "span",
    { class: "lrw-field" },
    h("label", { class: hideLabel ? "lrw-hidden" : "lrw-label", for: inputId }, label),
    h("span", { class: "lrw-field-box" }, input, unit && h("span", { class: "lrw-unit" }, unit)),
    error,
  );

  const hasError = () => input.hasAttribute("aria-invalid");

  /** @param {string | null} text */
  function setError(text) {
    refused = null;
    setText(error, text ?? "");
    setAttribute(input, "aria-invalid", text ? "true" : null);
    setAttribute(input, "aria-describedby", text ? errorId : null);
  }

  function read() {
    if (input.value === shown && current !== null) {
      // What is shown is rounded.
      setError(null);
      return current;
    }
    const parsed = parse(input.value);
    if (parsed.value === undefined) {
      setError(parsed.error ?? "write a number");
      return null;
    }
    setError(null);
    return parsed.value;
  }

  async function commit() {
    const same = input.value === shown && !hasError();
    if (input.readOnly || (same && commitOnBlur)) {
      return;
    }
    const text = input.value;
    if (commitOnBlur && text === sent) {
      // Enter, and then the field is left: once is meant, and twice would be wrong for "+10%".
      return;
    }
    const parsed = read();
    if (parsed === null) {
      return;
    }
    sent = text;
    commits += 1;
    const own = commits;
    /** @type {void | string} */
    let refusal;
    try {
      refusal = await onCommit(parsed);
    } catch (reason) {
      refusal = /** @type {Error} */ (reason).message;
    }
    if (signal.aborted || own !== commits) {
      // What was committed since has an answer of its own.
      return;
    }
    const stands = sent === text && input.value === text;
    sent = null;
    if (typeof refusal === "string") {
      if (input.value === shown) {
        // What was refused stands there again, with the reason.
        input.value = text;
      }
      setError(refusal);
      refused = text;
      return;
    }
    // While the answer was on its way, the panel may have set a newer value or the person may
    // have typed on: neither is overwritten.
    if (stands) {
      current = parsed;
      shown = format(parsed);
      input.value = shown;
    }
  }

  return {
    element,
    input,
    read,
    setError,
    error: () => error.textContent ?? "",
    reset(next) {
      current = next;
      shown = next === null ? "" : format(next);
      input.value = shown;
      setError(null);
    },
    set(next) {
      if (next === current && !hasError()) {
        return;
      }
      // What was committed has been taken up: it is shown as any other value.
      const typing = input.value !== shown && input.value !== sent;
      current = next;
      if (!typing) {
        sent = null;
        shown = next === null ? "" : format(next);
        input.value = shown;
      }
    },
    setDisabled(disabled) {
      input.readOnly = disabled;
      setAttribute(input, "aria-disabled", disabled ? "true" : null);
    },
  };
}

/**
 * A short field beside a button: what stands in it is an order, which Enter gives too.
 *
 * @param {NumberFieldOptions & {row?: boolean}} options `row` has the label beside the field
 * @returns {NumberField}
 */
export function orderField({ row = false, ...options }) {
  const field = numberField({ hideLabel: !row, commitOnBlur: false, ...options });
  field.input.classList.add("lrw-input-short");
  field.element.classList.toggle("lrw-field-row", row);
  return field;
}

/**
 * A field of text that is not empty.
 *
 * @param {Partial<NumberFieldOptions> & {label: string, signal: AbortSignal,
 *   onCommit: (text: any) => Promise<void | string>}} options
 * @returns {NumberField}
 */
export function textField(options) {
  // That for numbers takes any value, as long as it is given a way to read and to write it.
  return numberField(
    /** @type {any} */ ({
      value: null,
      parse: (/** @type {string} */ text) =>
        text.trim() ? { value: text.trim() } : { error: `write a ${options.label}` },
      format: (/** @type {string} */ text) => text,
      ...options,
    }),
  );
}
