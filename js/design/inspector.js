/**
 * The selected segment in numbers.
 */

import {
  changeShape,
  declarationOf,
  insertKnot,
  partsOf,
  peak,
  refused,
  removeSegment,
  setParameter,
  setSteps,
  starts,
  steps,
} from "../schedule/model.js";
import { button, numberField, select, setDisabled } from "../shared/controls.js";
import { clear, h, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */
/** @typedef {import("../schedule/model.js").ParameterDeclaration} ParameterDeclaration */
/** @typedef {import("../shared/controls.js").NumberField} NumberField */

/** What a parameter is called here by its role; a free one keeps its own name. */
const WORDS = { start: "from", end: "to", level: "value" };
/** The choice that a slice has beside the shapes: to stay what it is. */
const SLICE = "(slice)";

/**
 * @param {object} host
 * @param {import("../schedule/model.js").Catalogue} host.catalogue
 * @param {() => number | null} host.stepsPerEpoch
 * @param {(move: (node: ScheduleNode) => ScheduleNode | Refusal) => Promise<string | null>}
 *   host.edit Resolves with the reason if the edit was refused.
 * @param {AbortSignal} host.signal
 * @returns {{element: HTMLElement, update: (node: ScheduleNode, index: number) => void,
 *   focus: (parameter: string | null) => void}}
 */
export function createInspector({ catalogue, stepsPerEpoch, edit, signal }) {
  const title = h("span", { class: "lrw-inspector-title" });
  const span = h("span", { class: "lrw-muted" });
  const fields = h("div", { class: "lrw-inspector-fields" });
  const error = h("p", { class: "lrw-note lrw-error", role: "alert" });
  const follow = h("input", { type: "checkbox", checked: true, dataset: { lrw: "follow" } });
  const shape = select({
    label: "shape",
    choices: [],
    value: "",
    onChange: (name) => change((node) => changeShape(catalogue, node, index, name)),
    hook: "shape",
    signal,
  });
  const split = button({
    label: "Split",
    title: "a knot in the middle of this segment",
    onClick: () =>
      change((node) => {
        const length = partsOf(node)[index].steps ?? 2000;
        return insertKnot(catalogue, node, starts(node)[index] + Math.floor(length / 2));
      }),
    hook: "segment-split",
    signal,
  });
  const remove = button({
    label: "Remove",
    name: "remove this segment",
    onClick: () => change((node) => removeSegment(catalogue, node, index)),
    hook: "segment-remove",
    signal,
  });
  const element = h(
    "div",
    { class: "lrw-inspector", role: "group", "aria-label": "selected segment" },
    h("div", { class: "lrw-inspector-head" }, title, span),
    fields,
    h(
      "div",
      { class: "lrw-inspector-foot" },
      h(
        "label",
        {
          class: "lrw-check",
          title:
            "where two segments meet without a jump, both move; without this only this one does",
        },
        follow,
        "neighbours follow",
      ),
      h("span", { class: "lrw-joined" }, split, remove),
    ),
    error,
  );

  /** @type {ScheduleNode} */
  let node = { node: "join", parts: [] };
  let index = 0;
  let built = "";
  /** @type {AbortController | null} */
  let life = null;
  /** @type {Map<string, NumberField>} */
  let controls = new Map();
  const percent = h("span", { class: "lrw-unit lrw-percent" });

  /** @param {(node: ScheduleNode) => ScheduleNode | Refusal} move */
  async function change(move) {
    const refusal = await edit(move);
    if (!signal.aborted) {
      setText(error, refusal ?? "");
      shape.set(shapeChoice());
    }
  }

  function shapeChoice() {
    const part = partsOf(node)[index];
    return part?.node === "segment" ? part.shape : SLICE;
  }

  /**
   * @param {string} text
   * @param {import("../shared/format.js").NumberUnits} units
   * @param {(value: number) => ScheduleNode | Refusal} move
   * @returns {{value?: number, error?: string}}
   */
  function parse(text, units, move) {
    const parsed = parseNumber(text, units);
    if (parsed.value === undefined) {
      return parsed;
    }
    // A tenth of 3e-3 is 3e-4, not 3.0000000000000003e-4.
    const value = Number(parsed.value.toPrecision(12));
    const result = move(value);
    return refused(result) ? { error: result.error } : { value };
  }

  /**
   * @param {ParameterDeclaration} parameter
   * @param {AbortSignal} until
   */
  function parameterField({ name, role, help }, until) {
    const move = (/** @type {ScheduleNode} */ from, /** @type {number} */ value) =>
      setParameter(catalogue, from, index, name, value, follow.checked);
    const label = role === "free" ? name.replaceAll("_", " ") : WORDS[role];
    return numberField({
      label,
      value: null,
      title: help,
      parse(text) {
        const units = role === "free" ? {} : { peak: peak(node) };
        const parsed = parse(text, units, (value) => move(node, value));
        return parsed.error ? { error: parsed.error.replace(name, label) } : parsed;
      },
      format: formatRate,
      onCommit: async (value) => (await edit((from) => move(from, value))) ?? undefined,
      hook: `field-${name}`,
      signal: until,
    });
  }

  /** @param {AbortSignal} until */
  function stepsField(until) {
    const move = (/** @type {ScheduleNode} */ from, /** @type {number} */ value) =>
      setSteps(catalogue, from, index, Number.isFinite(value) ? Math.round(value) : null);
    const units = () => ({ stepsPerEpoch: stepsPerEpoch(), total: steps(node) });
    const field = numberField({
      label: "steps",
      value: null,
      title: "a number of steps, 5% of the schedule, 2ep for epochs; a constant end can be ∞",
      parse: (text) =>
        /^\s*(∞|inf|infinite|none)\s*$/i.test(text)
          ? parse("1", {}, () => move(node, Number.POSITIVE_INFINITY)).error === undefined
            ? { value: Number.POSITIVE_INFINITY }
            : { error: "only a constant segment at the end can be without end" }
          : parse(text, units(), (value) => move(node, value)),
      format: formatSteps,
      onCommit: async (value) => (await edit((from) => move(from, value))) ?? undefined,
      hook: "field-steps",
      signal: until,
    });
    field.element.querySelector(".lrw-field-box")?.append(percent);
    return field;
  }

  function build() {
    life?.abort();
    life = new AbortController();
    const until = AbortSignal.any([life.signal, signal]);
    const part = partsOf(node)[index];
    const parameters =
      part.node === "segment" ? declarationOf(catalogue, part.shape).parameters : [];
    controls = new Map(parameters.map((each) => [each.name, parameterField(each, until)]));
    controls.set("steps", stepsField(until));
    clear(fields).append(shape.element, ...[...controls.values()].map((each) => each.element));
    const shapes = catalogue.shapes.map(({ name, title: words }) => ({
      value: name,
      label: words,
    }));
    const slice =
      part.node === "slice" ? [{ value: SLICE, label: `part of ${part.part.shape}` }] : [];
    shape.setChoices([...slice, ...shapes]);
  }

  return {
    element,
    update(next, chosen) {
      node = next;
      const parts = partsOf(node);
      index = Math.min(chosen, parts.length - 1);
      const part = parts[index];
      const key = `${index} ${shapeChoice()} ${part.node === "slice" ? part.part.shape : ""}`;
      if (key !== built) {
        built = key;
        setText(error, "");
        build();
      }
      const begin = starts(node)[index];
      const end = part.steps === null ? "∞" : formatSteps(begin + part.steps);
      setText(title, `Segment ${index + 1} of ${parts.length}`);
      setText(span, `steps ${formatSteps(begin)} – ${end}`);
      shape.set(shapeChoice());
      for (const [name, field] of controls) {
        if (name !== "steps" && part.node === "segment") {
          field.set(part.parameters[name]);
        }
      }
      controls.get("steps")?.set(part.steps ?? Number.POSITIVE_INFINITY);
      const total = steps(node);
      const share = total && part.steps ? (100 * part.steps) / total : null;
      setText(percent, share === null ? "" : `${share.toFixed(share < 9.95 ? 1 : 0)} %`);
      setDisabled(remove, parts.length === 1, "a schedule has at least one segment");
      setDisabled(split, part.steps === 1, "one step cannot be split");
    },
    focus(parameter) {
      const input = (controls.get(parameter ?? "") ?? controls.get("steps"))?.input;
      input?.focus();
      input?.select();
    },
  };
}
