/**
 * The rates that were tried, as buttons: what a click in the plots does, for every hand.
 */

import { button, quietLabel } from "../shared/controls.js";
import { h, listen, setAttribute } from "../shared/dom.js";
import { formatRate } from "../shared/format.js";
import { offer } from "./picking.js";
import { rateResults, resultText } from "./probes.js";
import { effectOf } from "./words.js";

/**
 * @param {object} options
 * @param {(rate: number | null) => void} options.onLight The button under the pointer or focus.
 * @param {(rate: number) => void} options.onPick
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement,
 *   update: (runs: import("./probes.js").Probe[], from: "start" | "here",
 *     why: string | null) => void}} `why` none of them can be taken just now
 */
export function createProbeList({ onLight, onPick, signal }) {
  const list = h("span", { class: "lrw-probe-buttons" });
  const element = h(
    "div",
    { class: "lrw-probe-list", role: "group", "aria-label": "Take the rate of a short run" },
    quietLabel("take a rate"),
    list,
  );
  /** By what the button says: a button never changes its rate under the focus.
   * @type {Map<string, HTMLButtonElement>} */
  const buttons = new Map();

  /**
   * @param {string} label
   * @param {number} rate
   */
  function make(label, rate) {
    const made = button({ label, signal, onClick: () => onPick(rate) });
    const light = () => onLight(rate);
    const dim = () => onLight(null);
    listen(made, { pointerenter: light, focus: light, pointerleave: dim, blur: dim }, signal);
    buttons.set(label, made);
    return made;
  }

  return {
    element,
    update(runs, from, why) {
      element.style.visibility = runs.length > 0 ? "visible" : "hidden";
      const results = rateResults(runs);
      const longest = Math.max(...results.map(({ horizon }) => horizon));
      const labels = new Set(results.map(({ rate }) => formatRate(rate)));
      for (const [label, old] of buttons) {
        if (!labels.has(label)) {
          old.remove();
          buttons.delete(label);
        }
      }
      for (const [index, result] of results.entries()) {
        const label = formatRate(result.rate);
        const each = buttons.get(label) ?? make(label, result.rate);
        if (list.children[index] !== each) {
          list.insertBefore(each, list.children[index] ?? null);
        }
        const text = resultText(result);
        each.classList.toggle("lrw-probe-best", result.best);
        each.classList.toggle("lrw-probe-short", result.horizon < longest);
        each.classList.toggle("lrw-probe-gone", !Number.isFinite(result.final));
        setAttribute(each, "data-lrw", `probe-${index}`);
        setAttribute(each, "aria-label", `Take ${label}: ${text}`);
        offer(each, `${text}; ${effectOf(from)}`, why);
      }
    },
  };
}
