/**
 * The rules' answers as a list: each can be shown or hidden in the plot, and taken.
 */

import { button } from "../shared/controls.js";
import { h, setAttribute, setText, svg, UNSEEN } from "../shared/dom.js";
import { formatRate, formatSteps } from "../shared/format.js";
import { ruleStyle } from "./marks.js";
import { offer } from "./picking.js";
import { costOf, effectOf, formatShort } from "./words.js";

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
 * With a joiner behind each minus: "1.4e-" and "3" on two lines cannot be read.
 *
 * @param {string} text
 */
const unbroken = (text) => text.replaceAll("e-", "e-\u2060");

/**
 * How far a rule's rates for the seeds' own curves are apart.
 *
 * @param {number[]} [range]
 * @returns {string}
 */
export function spreadText(range = []) {
  const [low, high] = range.map(formatShort);
  return low === undefined ? "" : low === high ? "for every seed" : `${low} – ${high} by seed`;
}

/**
 * Whether the plot leaves a rule out: the person hid it, or never asked for one of those that are
 * not shown by themselves.
 *
 * @param {RuleDeclaration} rule
 * @param {Record<string, any>} view The kept state: `hiddenRules` and `shownRules` are names.
 * @returns {boolean}
 */
export function isHidden({ name, shown }, { hiddenRules = [], shownRules = [] }) {
  return hiddenRules.includes(name) || (shown === false && !shownRules.includes(name));
}

/**
 * The state to keep when a rule is hidden or shown.
 *
 * @param {RuleDeclaration} rule
 * @param {boolean} hide
 * @param {Record<string, any>} view
 * @returns {{hiddenRules: string[], shownRules: string[]}}
 */
export function afterHiding({ name }, hide, { hiddenRules = [], shownRules = [] }) {
  const others = (/** @type {string[]} */ names) => names.filter((each) => each !== name);
  return {
    hiddenRules: hide ? [...others(hiddenRules), name] : others(hiddenRules),
    shownRules: hide ? others(shownRules) : [...others(shownRules), name],
  };
}

/**
 * @param {object} options
 * @param {RuleDeclaration[]} options.rules
 * @param {(rule: RuleDeclaration) => boolean} options.hidden Whether the plot leaves it out.
 * @param {(rule: RuleDeclaration, hide: boolean) => void} options.onHide
 * @param {(rate: number, rule: RuleDeclaration) => void} options.onUse
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (find: FindState, why: string | null) => void}} `why`
 *   nothing can be taken just now
 */
export function createSuggestions({ rules, hidden, onHide, onUse, signal }) {
  /** @type {Record<string, number>} */
  let rates = {};
  const rows = rules.map((rule, index) => {
    const { color, path } = ruleStyle(index);
    const box = h("input", {
      type: "checkbox",
      hook: `rule-hide-${rule.name}`,
      "aria-label": `${rule.title}: show in the plot`,
      signal,
      on: { change: () => onHide(rule, !box.checked) },
    });
    const value = h("output", { class: "lrw-rule-value" });
    const spread = h("span", { class: "lrw-rule-spread" });
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
            ...UNSEEN,
            style: `--lrw-swatch: var(--lrw-${color})`,
          },
          svg("path", { d: path }),
        ),
        rule.title,
      ),
      h("span", { class: "lrw-rule-rate" }, value, spread),
      help,
      use,
    );
    return { rule, element, box, value, spread, help, use };
  });
  const summary = h("p", { class: "lrw-note" });
  const cost = h("p", { class: "lrw-note" });
  const usual = rows.filter(({ rule }) => rule.shown !== false);
  const others = rows.filter(({ rule }) => rule.shown === false);

  return {
    element: h(
      "section",
      { class: "lrw-suggestions", "aria-label": "Suggested learning rates" },
      h("p", { class: "lrw-plot-title" }, "What rules of thumb read off the curve"),
      h("ul", { class: "lrw-rules" }, ...usual.map((row) => row.element)),
      others.length > 0 &&
        h(
          "details",
          { class: "lrw-other-rules" },
          h("summary", null, `${others.length} rules of other libraries`),
          h("ul", { class: "lrw-rules" }, ...others.map((row) => row.element)),
        ),
      summary,
      cost,
    ),
    update(find, why) {
      rates = find.suggestions;
      // Where there is an advice, it goes before every rule of thumb.
      const leads = find.advice === null;
      const best = rows.find(({ rule }) => rates[rule.name] !== undefined && !hidden(rule));
      for (const row of rows) {
        const rate = rates[row.rule.name];
        const known = rate !== undefined;
        const first = row === best;
        row.box.checked = !hidden(row.rule);
        row.element.classList.toggle("lrw-rule-first", first && leads);
        row.use.classList.toggle("lrw-button-primary", first && leads);
        row.use.dataset.lrw = first ? "find-use" : `find-use-${row.rule.name}`;
        row.use.style.visibility = known ? "visible" : "hidden";
        setAttribute(
          row.use,
          "aria-label",
          known ? `Use this: ${formatRate(rate)}, ${row.rule.title}` : null,
        );
        offer(row.use, effectOf(find.settings.from), why);
        setText(row.value, formatRate(rate));
        const reason = find.silent[row.rule.name];
        setText(row.spread, known ? spreadText(find.spread[row.rule.name]) : "");
        setText(row.help, !known && reason ? unbroken(`No answer: ${reason}.`) : row.rule.help);
      }
      const over = find.state !== "running" && find.state !== "idle";
      const given = usual.map(({ rule }) => rates[rule.name]).filter((rate) => rate !== undefined);
      setText(
        summary,
        given.length > 0
          ? find.advice?.state === "refused"
            ? "These rules read the curve alone, and know nothing of why there is no advice."
            : unbroken(disagreement(given))
          : !over
            ? "The rules answer when the test is over."
            : find.stopped === "cancelled" || find.state === "failed"
              ? "It ended before the rules had enough of the curve."
              : `No rule gives a rate for this curve.${find.advice?.state === "refused" ? "" : " A wider range or more steps may help."}`,
      );
      const left = find.left_out.length > 0 ? `Not swept: ${find.left_out.join(", ")}. ` : "";
      setText(cost, `${left}${leads ? costOf(find.gradient_steps, null) : ""}`);
    },
  };
}
