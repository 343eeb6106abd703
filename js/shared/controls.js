/**
 * The controls that every panel is made of. They hold no state of the model: the panel sets
 * what they show, and hears what the person wants.
 */

import { clear, h, setAttribute, setText, svg, UNSEEN } from "./dom.js";
import { uniqueId } from "./ids.js";

export { uniqueId } from "./ids.js";
export { numberField, orderField, textField } from "./number_field.js";

/** @typedef {import("./number_field.js").NumberField} NumberField */

/**
 * @typedef {object} ButtonOptions
 * @property {string} label
 * @property {() => void} onClick Not called while the button is `aria-disabled`.
 * @property {AbortSignal} signal
 * @property {string} [hook] `data-lrw`
 * @property {"plain" | "primary" | "quiet"} [kind]
 * @property {string} [title]
 * @property {string} [name] Accessible name where the label alone does not say enough.
 * @property {string} [icon] SVG path data in a box of 16 by 16, before the label.
 * @property {boolean} [single] The second click of a double click does nothing: for a button that
 *   takes the place of its counterpart.
 */

/**
 * A button. Disable it with `setDisabled`, which keeps the focus where it is: a button that is
 * waiting for the kernel must not throw the keyboard out of the panel.
 *
 * @param {ButtonOptions} options
 * @returns {HTMLButtonElement}
 */
export function button(options) {
  const { label, onClick, signal, hook, kind = "plain", title, name, icon, single } = options;
  const element = h(
    "button",
    {
      type: "button",
      class: `lrw-button lrw-button-${kind}`,
      hook,
      title,
      "aria-label": name,
      signal,
      on: {
        click: ({ detail }) => {
          if (!isDisabled(element) && !(single && detail > 1)) {
            onClick();
          }
        },
      },
    },
    icon &&
      svg("svg", { class: "lrw-icon", viewBox: "0 0 16 16", ...UNSEEN }, svg("path", { d: icon })),
    h("span", null, label),
  );
  return element;
}

/**
 * @param {HTMLButtonElement} element A button made by `button`.
 * @param {string} label
 * @param {string} [icon] Path data, for a button that has an icon.
 */
export function setLabel(element, label, icon) {
  if (element.lastElementChild) {
    setText(element.lastElementChild, label);
  }
  const path = element.querySelector("path");
  if (icon && path) {
    setAttribute(path, "d", icon);
  }
}

/**
 * @param {HTMLElement} element
 * @param {boolean} disabled
 * @param {string} [reason] Takes the place of the tooltip while it is disabled.
 */
export function setDisabled(element, disabled, reason) {
  setAttribute(element, "aria-disabled", disabled ? "true" : null);
  if (disabled && reason !== undefined) {
    element.dataset.title ??= element.title;
    setAttribute(element, "title", reason);
  } else if (element.dataset.title !== undefined) {
    setAttribute(element, "title", element.dataset.title || null);
    delete element.dataset.title;
  }
}

/** @param {HTMLElement} element */
export const isDisabled = (element) => element.getAttribute("aria-disabled") === "true";

/**
 * A name for the eye: the control beside it has its own.
 *
 * @param {string} name
 */
export const quietLabel = (name) => h("span", { class: "lrw-label", ...UNSEEN }, name);

/**
 * A quiet button that opens and closes what belongs to it.
 *
 * @param {object} options
 * @param {string} options.id of what opens
 * @param {() => void} options.onClick
 * @param {AbortSignal} options.signal
 * @param {string} [options.hook] `data-lrw`
 * @param {string} [options.title]
 * @param {string | Node} label
 * @returns {HTMLButtonElement} say with `aria-expanded` whether it is open
 */
export function disclosure({ id, onClick, signal, hook, title }, label) {
  return h(
    "button",
    {
      type: "button",
      class: "lrw-button lrw-button-quiet lrw-disclosure",
      "aria-expanded": "false",
      "aria-controls": id,
      hook,
      title,
      signal,
      on: { click: onClick },
    },
    h("span", { class: "lrw-caret", ...UNSEEN }),
    label,
  );
}

/**
 * @typedef {object} Choice
 * @property {string} value
 * @property {string} label
 * @property {string} [title]
 * @property {string} [group] Choices of one group follow each other, under its name.
 */

/**
 * @typedef {object} SelectControl
 * @property {HTMLElement} element
 * @property {HTMLSelectElement} select
 * @property {(value: string) => void} set
 * @property {(choices: Choice[]) => void} setChoices Keeps the selection where it still exists.
 */

/**
 * A native drop-down list with its label.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {Choice[]} options.choices
 * @param {string} options.value
 * @param {(value: string) => void} options.onChange
 * @param {AbortSignal} options.signal
 * @param {string} [options.hook] `data-lrw` of the select
 * @param {boolean} [options.hideLabel]
 * @returns {SelectControl}
 */
export function select({ label, choices, value, onChange, signal, hook, hideLabel = false }) {
  const id = uniqueId();
  const list = h("select", {
    class: "lrw-select",
    id,
    hook,
    signal,
    on: { change: () => onChange(list.value) },
  });
  const element = h(
    "span",
    { class: "lrw-field lrw-field-row" },
    h("label", { class: hideLabel ? "lrw-hidden" : "lrw-label", for: id }, label),
    list,
  );
  let known = "";

  /** @param {Choice[]} next */
  function setChoices(next) {
    const key = JSON.stringify(next);
    if (key === known) {
      return;
    }
    known = key;
    const chosen = list.value;
    /** @type {HTMLElement & {label?: string}} */
    let group = clear(list);
    for (const choice of next) {
      if (choice.group && choice.group !== group.label) {
        group = list.appendChild(h("optgroup", { label: choice.group }));
      }
      group.append(h("option", { value: choice.value, title: choice.title }, choice.label));
    }
    if (next.some((choice) => choice.value === chosen)) {
      list.value = chosen;
    }
  }

  setChoices(choices);
  list.value = value;
  return {
    element,
    select: list,
    set(next) {
      if (list.value !== next) {
        list.value = next;
      }
    },
    setChoices,
  };
}

/** What an axis can be. @type {Choice[]} */
export const SCALES = ["linear", "log"].map((value) => ({ value, label: value }));

/**
 * @typedef {object} SegmentedControl
 * @property {HTMLElement} element
 * @property {(value: string) => void} set
 */

/**
 * Two to four choices side by side, a radio group: one stop for Tab, arrows choose.
 *
 * @param {object} options
 * @param {string} options.label Accessible name; shown before the choices if `showLabel`.
 * @param {Choice[]} options.choices
 * @param {string} options.value
 * @param {(value: string) => void} options.onChange
 * @param {AbortSignal} options.signal
 * @param {string} [options.hook] `data-lrw` of the group; each choice gets `hook-value`.
 * @param {boolean} [options.showLabel]
 * @returns {SegmentedControl}
 */
export function segmentedControl({
  label,
  choices,
  value,
  onChange,
  signal,
  hook,
  showLabel = false,
}) {
  let chosen = value;
  const buttons = choices.map((choice, index) =>
    h(
      "button",
      {
        type: "button",
        role: "radio",
        class: "lrw-segment",
        title: choice.title,
        hook: hook && `${hook}-${choice.value}`,
        signal,
        on: {
          click: () => choose(index),
          keydown: (/** @type {KeyboardEvent} */ event) => {
            const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
            if (step !== undefined) {
              event.preventDefault();
              const next = (index + step + choices.length) % choices.length;
              choose(next);
              buttons[next].focus();
            }
          },
        },
      },
      choice.label,
    ),
  );

  function show() {
    for (const [index, element] of buttons.entries()) {
      const on = choices[index].value === chosen;
      setAttribute(element, "aria-checked", String(on));
      setAttribute(element, "tabindex", on ? "0" : "-1");
    }
  }

  /** @param {number} index */
  function choose(index) {
    if (choices[index].value !== chosen) {
      chosen = choices[index].value;
      show();
      onChange(chosen);
    }
  }

  show();
  return {
    element: h(
      "span",
      { class: "lrw-field lrw-field-row" },
      showLabel && quietLabel(label),
      h(
        "span",
        { class: "lrw-segmented", role: "radiogroup", "aria-label": label, hook },
        ...buttons,
      ),
    ),
    set(next) {
      if (next !== chosen) {
        chosen = next;
        show();
      }
    },
  };
}

/**
 * @typedef {object} Note
 * @property {HTMLElement} element
 * @property {(text: string) => void} say
 * @property {(text: string) => void} fail
 * @property {(text: string) => void} setRest What stands there while there is nothing to say.
 */

/**
 * A line under some controls that says what they wait for, or why they were refused. It keeps
 * its height while it is empty.
 *
 * @returns {Note}
 */
export function createNote() {
  let rest = "";
  let resting = true;
  const element = h("p", { class: "lrw-note lrw-note-line" });
  /**
   * @param {string} text
   * @param {boolean} failed
   */
  function show(text, failed) {
    resting = text === "";
    setText(element, text || rest);
    element.classList.toggle("lrw-error", failed);
  }
  return {
    element,
    say: (text) => show(text, false),
    fail: (text) => show(text, true),
    setRest(text) {
      rest = text;
      if (resting) {
        setText(element, rest);
      }
    },
  };
}

/**
 * A polite live region: one sentence at a time for screen readers, nothing to see.
 *
 * @returns {{element: HTMLElement, announce: (text: string) => void}}
 */
export function liveRegion() {
  const element = h("div", { class: "lrw-hidden", role: "status", "aria-live": "polite" });
  return {
    element,
    announce(text) {
      // The same sentence twice would not be read again without a change of the text.
      element.textContent = element.textContent === text ? `${text}\u00a0` : text;
    },
  };
}
