/**
 * What is searched and how: one line, closed by default, that opens to its fields.
 */

import { disclosure, numberField, segmentedControl, uniqueId } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {Omit<import("../shared/traits.js").FindSettings, "from" | "ladder">} Settings */
/** @typedef {"low" | "high" | "steps" | "seeds"} NumberName */

/** As Python has it: a ladder needs some rungs before any rule can read it. */
const COUNTS = { steps: [10, 10_000], seeds: [1, 16] };

/** What the budget of the advice is called in the closed line. */
const BUDGETS = { quick: "quick", thorough: "thorough", none: "no advice" };

/**
 * @param {import("../shared/traits.js").FindSettings} offered What Python offers.
 * @param {Partial<Settings>} [saved] What the person set before.
 * @returns {Settings}
 */
export function chosenSettings(offered, saved) {
  const { low, high, steps, seeds, loss, budget } = { ...offered, ...saved };
  return { low, high, steps, seeds, loss, budget };
}

/**
 * The rules that settings break, by field.
 *
 * @param {Pick<Settings, NumberName>} settings
 * @returns {Partial<Record<NumberName, string>>} empty where all is well
 */
export function settingsErrors({ low, high, ...counts }) {
  /** @type {Partial<Record<NumberName, string>>} */
  const errors = {};
  if (!(low > 0)) {
    errors.low = "the lowest rate must be > 0";
  } else if (!(high > low)) {
    errors.high = `the highest rate must be > ${formatRate(low)}`;
  }
  for (const name of /** @type {("steps" | "seeds")[]} */ (Object.keys(COUNTS))) {
    const [fewest, most] = COUNTS[name];
    const count = counts[name];
    if (!(Number.isInteger(count) && count >= fewest && count <= most)) {
      errors[name] = `${name} must be a whole number from ${fewest} to ${formatSteps(most)}`;
    }
  }
  return errors;
}

/**
 * @param {Settings} settings
 * @returns {string} "1e-7 → 10, 100 steps, 3 seeds, quick"
 */
export function settingsText({ low, high, steps, seeds, loss, budget }) {
  const range = `${formatRate(low)} → ${formatRate(high)}`;
  const parts = [range, `${formatSteps(steps)} steps`, seeds === 1 ? "1 seed" : `${seeds} seeds`];
  if (loss === "valid") {
    parts.push("validation loss");
  }
  return [...parts, BUDGETS[budget] ?? budget].join(", ");
}

/**
 * @param {object} options
 * @param {Settings} options.settings
 * @param {(settings: Settings) => void} options.onChange
 * @param {AbortSignal} options.signal
 * @returns {{toggle: HTMLElement, fields: HTMLElement, value: () => Settings,
 *   read: () => Settings | string, set: (settings: Settings) => void,
 *   allowValidation: (allowed: boolean) => void}} `value` is what was last right; `read` also
 *   looks at what is being typed, and where something is wrong there it says so under each field,
 *   goes to the first of them and returns its rule.
 */
export function createSettings({ settings, onChange, signal }) {
  let current = settings;
  let validation = true;
  const id = uniqueId();

  /** @param {Partial<Settings>} change */
  function choose(change) {
    current = { ...current, ...change };
    show();
    onChange(current);
  }

  /**
   * @param {NumberName} name
   * @param {string} label
   * @param {(value: number) => string} format
   * @param {string} [title]
   */
  const field = (name, label, format, title) =>
    numberField({
      label,
      value: current[name],
      parse: (text) => parseNumber(text),
      format,
      signal,
      title,
      hook: `field-${name}`,
      onCommit: (value) => {
        const { typed, errors } = look();
        if (Object.keys(errors).length === 0) {
          choose(typed);
        } else if (!errors[name]) {
          current = { ...current, [name]: value };
          show();
        }
        return errors[name];
      },
    });
  const fields = {
    low: field("low", "lowest rate", formatRate),
    high: field("high", "highest rate", formatRate),
    steps: field("steps", "steps", formatSteps),
    seeds: field("seeds", "seeds", formatSteps, "Sweeps with other batches and randomness each"),
  };
  const budget = segmentedControl({
    label: "advice",
    showLabel: true,
    choices: [
      { value: "quick", label: "quick", title: "Short real runs, for at most 400 gradient steps" },
      { value: "thorough", label: "thorough", title: "For at most 3 000 gradient steps" },
      { value: "none", label: "none", title: "The range test only" },
    ],
    value: current.budget,
    hook: "find-budget",
    signal,
    onChange: (value) => choose({ budget: /** @type {Settings["budget"]} */ (value) }),
  });
  const loss = segmentedControl({
    label: "loss",
    showLabel: true,
    choices: [
      { value: "train", label: "training" },
      { value: "valid", label: "validation" },
    ],
    value: current.loss,
    hook: "find-loss",
    signal,
    onChange: (value) => choose({ loss: /** @type {Settings["loss"]} */ (value) }),
  });
  const panel = h(
    "div",
    {
      class: "lrw-row lrw-find-fields",
      id,
      role: "group",
      "aria-label": "Settings of the search",
      hidden: true,
    },
    ...Object.values(fields).map((each) => each.element),
    budget.element,
    loss.element,
  );
  const text = h("span");
  const toggle = disclosure(
    {
      id,
      hook: "find-settings",
      title: "Range, steps, seeds, budget of the advice, and which loss",
      signal,
      onClick: () => open(panel.hasAttribute("hidden")),
    },
    text,
  );

  /** What stands in the fields, each of which says what is wrong in it. */
  function look() {
    const typed = value();
    const names = /** @type {NumberName[]} */ (Object.keys(fields));
    const unread = names.filter((name) => {
      const number = fields[name].read();
      typed[name] = number ?? typed[name];
      return number === null;
    });
    const errors = settingsErrors(typed);
    for (const name of names) {
      if (unread.includes(name)) {
        errors[name] = fields[name].error();
      } else {
        fields[name].setError(errors[name] ?? null);
      }
    }
    return { typed, errors };
  }

  /** @param {boolean} on */
  function open(on) {
    panel.hidden = !on;
    setAttribute(toggle, "aria-expanded", String(on));
  }

  /** @returns {Settings} */
  const value = () => ({ ...current, loss: validation ? current.loss : "train" });

  function show() {
    setText(text, settingsText(value()));
    budget.set(current.budget);
    loss.set(value().loss);
    loss.element.hidden = !validation;
  }

  show();
  return {
    toggle,
    fields: panel,
    value,
    read() {
      const { typed, errors } = look();
      for (const [name, field] of Object.entries(fields)) {
        const error = errors[/** @type {NumberName} */ (name)];
        if (error) {
          open(true);
          field.input.focus();
          return error;
        }
      }
      return typed;
    },
    set(next) {
      current = next;
      for (const name of /** @type {NumberName[]} */ (Object.keys(fields))) {
        fields[name].set(next[name]);
      }
      show();
    },
    allowValidation(allowed) {
      validation = allowed;
      show();
    },
  };
}
