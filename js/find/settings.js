/**
 * The range test's settings: one line, closed by default, that opens to its fields.
 */

import { disclosure, numberField, uniqueId } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {{low: number, high: number, steps: number}} Settings */

// As Python's find_lr: a ladder needs some rungs before any rule can read it.
const FEWEST_STEPS = 10;
const MOST_STEPS = 10_000;

/**
 * The rule that settings break, by field.
 *
 * @param {Settings} settings
 * @returns {{field: keyof Settings, text: string} | null}
 */
export function settingsError({ low, high, steps }) {
  if (!(low > 0)) {
    return { field: "low", text: "the lowest rate must be > 0" };
  }
  if (!(high > low)) {
    return { field: "high", text: `the highest rate must be > ${formatRate(low)}` };
  }
  if (!(Number.isInteger(steps) && steps >= FEWEST_STEPS && steps <= MOST_STEPS)) {
    return {
      field: "steps",
      text: `steps must be a whole number from ${FEWEST_STEPS} to ${formatSteps(MOST_STEPS)}`,
    };
  }
  return null;
}

/**
 * @param {object} options
 * @param {Settings} options.settings
 * @param {(settings: Settings) => void} options.onChange
 * @param {AbortSignal} options.signal
 * @returns {{toggle: HTMLElement, fields: HTMLElement, value: () => Settings,
 *   read: () => Settings | null, set: (settings: Settings) => void}} `value` is what was last
 *   right; `read` also looks at what is being typed, and where something is wrong there it says
 *   so and gives null.
 */
export function createSettings({ settings, onChange, signal }) {
  let current = settings;
  const id = uniqueId();

  /**
   * @param {keyof Settings} name
   * @param {string} label
   * @param {(value: number) => string} format
   */
  const field = (name, label, format) =>
    numberField({
      label,
      value: current[name],
      parse: (text) => parseNumber(text),
      format,
      signal,
      hook: `field-${name}`,
      onCommit: (value) => {
        const next = { ...current, [name]: value };
        const wrong = settingsError(next);
        if (wrong?.field === name) {
          return wrong.text;
        }
        current = next;
        show();
        if (!wrong) {
          for (const each of Object.values(fields)) {
            each.setError(null);
          }
          onChange(current);
        }
      },
    });
  const fields = {
    low: field("low", "lowest rate", formatRate),
    high: field("high", "highest rate", formatRate),
    steps: field("steps", "steps", formatSteps),
  };
  const panel = h(
    "div",
    { class: "lrw-row lrw-find-fields", id, hidden: true },
    ...Object.values(fields).map((each) => each.element),
  );
  const text = h("span");
  const toggle = disclosure(
    {
      id,
      title: "Range and number of steps",
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

  function show() {
    setText(
      text,
      `${formatRate(current.low)} → ${formatRate(current.high)}, ${formatSteps(current.steps)} steps`,
    );
  }

  show();
  return {
    toggle,
    fields: panel,
    value: () => current,
    read() {
      const low = fields.low.read();
      const high = fields.high.read();
      const steps = fields.steps.read();
      const typed = low === null || high === null || steps === null ? null : { low, high, steps };
      const wrong = typed && settingsError(typed);
      if (wrong) {
        fields[wrong.field].setError(wrong.text);
      }
      if (typed === null || wrong) {
        open(true);
        return null;
      }
      return typed;
    },
    set(next) {
      current = next;
      fields.low.set(next.low);
      fields.high.set(next.high);
      fields.steps.set(next.steps);
      show();
    },
  };
}
