/**
 * The rules' answers as a list: each can be shown or hidden in the plot, and taken.
 */

import { button } from "../shared/controls.js";
import { h, setAttribute, setText, svg } from "../shared/dom.js";
import { formatRate, formatSteps } from "../shared/format.js";
import { ruleStyle } from "./marks.js";

/** @typedef {import("../shared/traits.js").FindState} FindState */
/** @typedef {import("../shared/traits.js").RuleDeclaration} RuleDeclaration */

/**
 * What to say of rules that do not agree.
 *
 * @param {number[]} rates
 * @returns {string}
 */
export function disagreement(rates) {
  const heuristics = "These rules are heuristics";
  if (rates.length < 2) {
    return `${heuristics}: look at the curve before you take one.`;
  }
  const low = Math.min(...rates);
  const high = Math.max(...rates);
  const factor = high / low;
  if (factor < 1.05) {
    return `${heuristics}; here they agree on about ${formatRate(low)}.`;
  }
  const times = factor < 100 ? Number(factor.toPrecision(2)) : formatSteps(factor);
  return `${heuristics} and disagree: here by a factor of ${times}, from ${formatRate(low)} to ${formatRate(high)}.`;
}

/**
 * @param {object} options
 * @param {RuleDeclaration[]} options.rules
 * @param {() => string[]} options.hidden Names of the rules that the plot does not show.
 * @param {(name: string, hide: boolean) => void} options.onHide
 * @param {(rate: number, rule: RuleDeclaration) => void} options.onUse
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (find: FindState) => void}}
 */
export function createSuggestions({ rules, hidden, onHide, onUse, signal }) {
  /** @type {Record<string, number>} */
  let rates = {};
  const rows = rules.map((rule, index) => {
    const { color, path } = ruleStyle(index);
    const box = h("input", {
      type: "checkbox",
      signal,
      on: { change: () => onHide(rule.name, !box.checked) },
    });
    box.checked = !hidden().includes(rule.name);
    const value = h("output", { class: "lrw-rule-value" });
    const help = h("span", { class: "lrw-rule-help" });
    const use = button({
      label: "Use this",
      signal,
      onClick: () => onUse(rates[rule.name], rule),
    });
    const element = h(
      "li",
      { class: "lrw-rule", "data-rule": rule.name },
      h(
        "label",
        { class: "lrw-rule-name", title: "Show in the plot" },
        box,
        svg(
          "svg",
          {
            class: "lrw-swatch",
            viewBox: "-8 -8 16 16",
            "aria-hidden": "true",
            style: `--lrw-swatch: var(--lrw-${color})`,
          },
          svg("path", { d: path }),
        ),
        rule.title,
      ),
      value,
      help,
      use,
    );
    return { rule, element, box, value, help, use };
  });
  const summary = h("p", { class: "lrw-note" });
  const cost = h("p", { class: "lrw-note" });

  return {
    element: h(
      "section",
      { class: "lrw-suggestions", "aria-label": "Suggested learning rates" },
      h("ul", { class: "lrw-rules" }, ...rows.map((row) => row.element)),
      summary,
      cost,
    ),
    update(find) {
      rates = find.suggestions;
      const best = rows.find((row) => rates[row.rule.name] !== undefined);
      for (const row of rows) {
        const rate = rates[row.rule.name];
        const known = rate !== undefined;
        const first = row === best;
        row.box.checked = !hidden().includes(row.rule.name);
        row.element.classList.toggle("lrw-rule-first", first);
        row.use.classList.toggle("lrw-button-primary", first);
        row.use.dataset.lrw = first ? "find-use" : `find-use-${row.rule.name}`;
        row.use.style.visibility = known ? "visible" : "hidden";
        setAttribute(
          row.use,
          "aria-label",
          known ? `Use this: ${formatRate(rate)}, ${row.rule.title}` : null,
        );
        setText(row.value, formatRate(rate));
        const reason = find.silent[row.rule.name];
        setText(row.help, !known && reason ? `No answer: ${reason}.` : row.rule.help);
      }
      const over = find.state !== "running" && find.state !== "idle";
      const given = Object.values(rates);
      setText(
        summary,
        given.length > 0
          ? // With a joiner behind each minus: "1.4e-" and "3" on two lines cannot be read.
            disagreement(given).replaceAll("e-", "e-\u2060")
          : over
            ? "No rule gives a rate for this curve. A wider range or more steps may help."
            : "The rules answer when the test is over.",
      );
      setText(
        cost,
        find.gradient_steps > 0
          ? `Cost: ${formatSteps(find.gradient_steps)} gradient steps on a copy; your model is as it was.`
          : "",
      );
    },
  };
}
