/**
 * The optimizer chain in words.
 */

import { formatRate } from "../shared/format.js";

/**
 * @typedef {object} Hyperparameter
 * @property {string} name
 * @property {number | string | boolean | null} value
 * @property {boolean} scheduled
 * @property {boolean} default whether it was left at Optax's default
 */

/** @typedef {{label: string, hyperparameters: Hyperparameter[]}} Link */

/**
 * @param {Link[]} links
 * @returns {string} as "clip_by_global_norm 1 → adamw learning_rate = curve · weight_decay 0.01"
 */
export function chainText(links) {
  return links
    .map(({ label, hyperparameters }) => {
      const shown = hyperparameters.filter((each) => !each.default);
      if (shown.length === 1 && !shown[0].scheduled) {
        return `${label} ${valueText(shown[0])}`;
      }
      const texts = shown.map((each) =>
        each.scheduled ? `${each.name} = curve` : `${each.name} ${valueText(each)}`,
      );
      return [label, texts.join(" · ")].filter(Boolean).join("  ");
    })
    .join("  →  ");
}

/** @param {Hyperparameter} hyperparameter */
function valueText({ value }) {
  if (typeof value === "boolean") {
    return value ? "on" : "off";
  }
  return typeof value === "number" ? formatRate(value) : String(value);
}
