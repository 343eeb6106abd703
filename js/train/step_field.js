/**
 * A button that works over a number of steps, and the field where it is written.
 */

import { button, isDisabled, orderField } from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * A tenth of the run, rounded to a number that looks chosen.
 *
 * @param {number} total
 * @returns {number}
 */
export function usualStretch(total) {
  const tenth = Math.max(1, total / 10);
  const size = 10 ** Math.floor(Math.log10(tenth));
  return Math.max(1, Math.round(tenth / size) * size);
}

/**
 * A whole number of steps, written as people do: 200, 10%, 2ep.
 *
 * @param {string} text
 * @param {Pick<Train, "total" | "steps_per_epoch">} train
 * @param {number} [low]
 * @param {number} [high]
 * @returns {{value: number, error?: undefined} | {value?: undefined, error: string}}
 */
export function parseWhole(text, train, low = 1, high = Number.POSITIVE_INFINITY) {
  const { total, steps_per_epoch: stepsPerEpoch } = train;
  const parsed = parseNumber(text, { stepsPerEpoch, total });
  if (parsed.value === undefined) {
    return parsed;
  }
  const value = Math.round(parsed.value);
  if (value >= low && value <= high) {
    return { value };
  }
  return {
    error:
      high === Number.POSITIVE_INFINITY
        ? `at least ${formatSteps(low)} step${low === 1 ? "" : "s"}`
        : `a step from ${formatSteps(low)} to ${formatSteps(high)}`,
  };
}

/**
 * @param {object} options
 * @param {string} options.label of the button
 * @param {string} [options.icon]
 * @param {string} options.hook of the button
 * @param {string} options.field hook of the field
 * @param {string} [options.title]
 * @param {number} options.value
 * @param {() => Train} options.train
 * @param {(steps: number, apply: HTMLButtonElement) => void} options.onApply
 * @param {string} [options.unit]
 * @param {AbortSignal} options.signal
 */
export function stepField({ field: hook, value, train, onApply, unit, ...options }) {
  const { label, signal } = options;
  const go = () => {
    const steps = field.read();
    if (steps !== null && !isDisabled(apply)) {
      onApply(steps, apply);
    }
  };
  const apply = button({ ...options, onClick: go });
  const field = orderField({
    label: `${label}: number of steps`,
    unit,
    value,
    parse: (text) => parseWhole(text, train()),
    format: formatSteps,
    hook,
    title: "Steps, or 10% of the run, or 2ep",
    signal,
    onCommit: go,
  });
  return {
    element: h("span", { class: "lrw-move" }, apply, field.element),
    apply,
    field,
    /** @returns {{steps: number} | null} what would be used, without a word of what is wrong */
    wanted() {
      const { value: steps } = parseWhole(field.input.value, train());
      return steps === undefined ? null : { steps };
    },
  };
}
