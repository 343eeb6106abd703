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
 * The rule that settings break, by field.
 *
 * @param {Pick<Settings, NumberName>} settings
 * @returns {{field: NumberName, text: string} | null}
 */
export function settingsError({ low, high, ...counts }) {
  if (!(low > 0)) {
    return { field: "low", text: "the lowest rate must be > 0" };
  }
  if (!(high > low)) {
    return { field: "high", text: `the highest rate must be > ${formatRate(low)}` };
  }
  for (const field of /** @type {("steps" | "seeds")[]} */ (Object.keys(COUNTS))) {
    const [fewest, most] = COUNTS[field];
    const count = counts[field];
    if (!(Number.isInteger(count) && count >= fewest && count <= most)) {
      const range = `${fewest} to ${formatSteps(most)}`;
      return { field, text: `${field} must be a whole number from ${range}` };
    }
  }
  return null;
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
 *   read: () => Settings | null, set: (settings: Settings) => void,
 *   allowValidation: (allowed: boolean) => void}} `value` is what was last right; `read` also
 *   looks at what is being typed, and where something is wrong there it says so and gives null.
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
        const next = { ...current, [name]: value };
        const wrong = settingsError(next);
        if (wrong?.field === name) {
          return wrong.text;
        }
        if (wrong) {
          // Another field is wrong as well, and says so.
          current = next;
          show();
          return;
        }
        for (const each of Object.values(fields)) {
          each.setError(null);
        }
        choose(next);
      },
    });
  const fields = {
    low: field("low", "lowest rate", formatRate),
    high: field("high", "highest rate", formatRate),
    steps: field("steps", "steps", formatSteps),
    seeds: field("seeds", "seeds", formatSteps, "Sweeps with other batches and randomness each"),
  };
  for (const each of [fields.steps, fields.seeds]) {
    each.input.classList.add("lrw-input-short");
  }
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
      const low = fields.low.read();
      const high = fields.high.read();
      const steps = fields.steps.read();
      const seeds = fields.seeds.read();
      if (low === null || high === null || steps === null || seeds === null) {
        open(true);
        return null;
      }
      const typed = { ...value(), low, high, steps, seeds };
      const wrong = settingsError(typed);
      if (wrong) {
        fields[wrong.field].setError(wrong.text);
        open(true);
        return null;
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
