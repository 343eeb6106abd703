/**
 * The selected part in numbers: its own, and those of what is inside it.
 */

import {
  changeShape,
  declarationOf,
  ENDLESS,
  endValue,
  expand,
  fieldsOf,
  insertKnot,
  lengthOf,
  nameOf,
  partsOf,
  peak,
  refused,
  removeSegment,
  same,
  setLeafParameter,
  setNodeField,
  setParameter,
  setSteps,
  starts,
  startValue,
  steps,
  tree,
  wrap,
} from "../schedule/model.js";
import { button, numberField, select, setDisabled } from "../shared/controls.js";
import { h, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";
import { menu } from "../shared/menu.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Part} Part */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */
/** @typedef {import("../schedule/model.js").ShapeDeclaration} ShapeDeclaration */
/** @typedef {import("../shared/controls.js").NumberField} NumberField */
/** @typedef {"rate" | "steps" | "free"} Kind what a number's relative forms refer to */

/**
 * A number that can be typed.
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} label
 * @property {string} hook
 * @property {string} help
 * @property {Kind} kind
 * @property {boolean} whole
 * @property {(part: Part) => number | null} read
 * @property {(from: ScheduleNode, value: number | null) => ScheduleNode | Refusal} move
 * @property {() => number | null} [total] the length of which "%" is a share
 */

/** What a parameter is called here by its role; another keeps its own name. */
const WORDS = { start: "from", end: "to", level: "value" };
/** The choice that other parts have beside the shapes: to stay what they are. */
const ITSELF = "(itself)";
/** What can be done to a part as a whole. */
const WRAPS = /** @type {const} */ (["repeat", "reverse", "staircase", "clip"]);
/** So many parts inside one part are shown. */
const MOST = 24;

/**
 * @param {ShapeDeclaration} shape
 * @returns {string} under which heading it is offered
 */
const groupOf = ({ twin, monotone }) =>
  twin ? (monotone ? "From one value to another" : "Oscillating") : "Plug-ins";

/**
 * @param {object} host
 * @param {import("../schedule/model.js").Catalogue} host.catalogue
 * @param {() => number | null} host.stepsPerEpoch
 * @param {(move: (node: ScheduleNode) => ScheduleNode | Refusal) => Promise<string | null>}
 *   host.edit Resolves with the reason if the edit was refused.
 * @param {AbortSignal} host.signal
 * @returns {{element: HTMLElement, update: (node: ScheduleNode, index: number, track: string) => void,
 *   focus: (parameter: string | null) => void}}
 */
export function createInspector({ catalogue, stepsPerEpoch, edit, signal }) {
  const title = h("span", { class: "lrw-inspector-title" });
  const span = h("span", { class: "lrw-muted" });
  const error = h("p", { class: "lrw-note lrw-error", role: "alert" });
  const follow = h("input", { type: "checkbox", checked: true, hook: "follow" });
  const shape = select({
    label: "shape",
    choices: [],
    value: "",
    onChange: (name) => change((from) => reshaped(from, name)),
    hook: "shape",
    signal,
  });
  const fields = h("div", { class: "lrw-inspector-fields" }, shape.element);
  const split = button({
    label: "Split",
    title: "a knot in the middle of this segment",
    onClick: () =>
      change((node) => {
        const length = lengthOf(partsOf(node)[index]) ?? 2000;
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
  const more = menu({
    label: "More",
    name: "more for this segment",
    items: () => [
      ...WRAPS.map((kind) => ({
        label: kind,
        hook: `segment-${kind}`,
        onClick: () => change((node) => wrap(catalogue, node, index, kind)),
      })),
      {
        label: "expand to segments",
        hook: "segment-expand",
        onClick: () => change((node) => expand(catalogue, node, index)),
      },
    ],
    hook: "segment-more",
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
      h("span", { class: "lrw-joined" }, split, remove, more.element),
    ),
    error,
  );

  /** @type {ScheduleNode} */
  let node = { node: "join", parts: [] };
  /** @type {{index: number, from: ScheduleNode, to: ScheduleNode} | null} */
  let walked = null;
  let index = 0;
  let built = "";
  /** @type {AbortController | null} */
  let life = null;
  /** @type {{entry: Entry, field: NumberField}[]} */
  let controls = [];
  const percent = h("span", { class: "lrw-unit lrw-percent" });

  /**
   * Letters and arrows walk through the list: each shape on the way is made of what was there
   * before the first, or passing a constant one would cost the end value.
   *
   * @param {ScheduleNode} now
   * @param {string} name
   */
  function reshaped(now, name) {
    const from = walked?.index === index && same(walked.to, now) ? walked.from : now;
    const to = changeShape(catalogue, from, index, name);
    walked = refused(to) ? null : { index, from, to };
    return to;
  }

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
    return part?.node === "segment" ? part.shape : ITSELF;
  }

  /**
   * @param {Entry} entry
   * @param {AbortSignal} until
   * @returns {NumberField}
   */
  function fieldOf({ name, label, hook, help, kind, whole, move, total }, until) {
    // What has no value is written as no number, and shown as infinite.
    const given = (/** @type {number} */ value) => (Number.isFinite(value) ? value : null);
    return numberField({
      label,
      value: null,
      title: help,
      parse(text) {
        const parsed = /^\s*(∞|inf\w*|none)\s*$/i.test(text)
          ? { value: ENDLESS }
          : parseNumber(text, unitsOf(kind, total));
        if (parsed.value === undefined) {
          return parsed;
        }
        // A tenth of 3e-3 is 3e-4, not 3.0000000000000003e-4.
        const value = whole ? Math.round(parsed.value) : Number(parsed.value.toPrecision(12));
        const result = move(node, given(value));
        return refused(result) ? { error: result.error.replace(name, label) } : { value };
      },
      format: (value) =>
        whole ? formatSteps(value) : Number.isFinite(value) ? formatRate(value) : "none",
      onCommit: async (value) => (await edit((from) => move(from, given(value)))) ?? undefined,
      hook,
      signal: until,
    });
  }

  /**
   * @param {Kind} kind
   * @param {() => number | null} [total]
   * @returns {import("../shared/format.js").NumberUnits}
   */
  function unitsOf(kind, total) {
    const part = partsOf(node)[index];
    return {
      rate: { peak: peak(node), start: startValue(part), end: endValue(part) },
      steps: {
        stepsPerEpoch: stepsPerEpoch(),
        total: total ? total() : lengthOf(part),
      },
      free: {},
    }[kind];
  }

  /**
   * @param {Part} whole the selected part
   * @param {number} position of what is shown now in the tree of that part
   * @returns {Entry[]}
   */
  function entriesOf(whole, position) {
    const { path, part } = tree(whole)[position];
    const inner = path.length > 0;
    const at = (/** @type {Part} */ now) => /** @type {any} */ (tree(now)[position]?.part);
    const hook = (/** @type {string} */ own) => (inner ? `leaf-${path.join(".")}` : own);
    const parameters =
      part.node === "segment" ? declarationOf(catalogue, part.shape).parameters : [];
    return [
      ...parameters.map(({ name, role, help, whole: counted }) => ({
        name,
        label: WORDS[/** @type {keyof typeof WORDS} */ (role)] ?? name.replaceAll("_", " "),
        hook: `${hook("field")}-${name}`,
        help,
        kind: /** @type {Kind} */ (role === "free" || role === "steps" ? role : "rate"),
        whole: counted,
        read: (/** @type {Part} */ now) => at(now)?.parameters[name],
        move: (/** @type {ScheduleNode} */ from, /** @type {any} */ value) =>
          inner
            ? setLeafParameter(catalogue, from, index, path, name, value)
            : setParameter(catalogue, from, index, name, value, follow.checked),
      })),
      ...fieldsOf(part)
        .filter(({ name }) => inner || name !== "steps")
        .map(({ name, help, whole: counted = false }) => ({
          name,
          label: name.replaceAll("_", " "),
          hook: `${hook("node")}-${name}`,
          help,
          kind: /** @type {Kind} */ (
            name === "times" || name === "decay_rate" ? "free" : counted ? "steps" : "rate"
          ),
          whole: counted,
          read: (/** @type {Part} */ now) => at(now)?.[name],
          move: (/** @type {ScheduleNode} */ from, /** @type {number | null} */ value) =>
            setNodeField(catalogue, from, index, path, name, value),
        })),
    ];
  }

  /** The length, which the next segment gives or takes. @type {Entry} */
  const length = {
    name: "steps",
    label: "steps",
    hook: "field-steps",
    help: "a number of steps, 5% of the schedule, 2ep for epochs; a constant end can be ∞",
    kind: "steps",
    whole: true,
    read: lengthOf,
    move: (from, value) => setSteps(catalogue, from, index, value),
    total: () => steps(node),
  };

  function build() {
    life?.abort();
    life = new AbortController();
    const until = AbortSignal.any([life.signal, signal]);
    const part = partsOf(node)[index];
    controls = [];
    const show = (/** @type {Entry} */ entry) => {
      const field = fieldOf(entry, until);
      controls.push({ entry, field });
      return field.element;
    };
    // The list of shapes stays where it is: taken out and put back it would lose the focus, and the
    // next letters typed would be the notebook's.
    while (fields.lastChild && fields.lastChild !== shape.element) {
      fields.lastChild.remove();
    }
    for (const [position, { path, part: held }] of tree(part).slice(0, MOST).entries()) {
      if (path.length > 0) {
        fields.append(h("span", { class: "lrw-label lrw-inspector-part" }, nameOf(held)));
      }
      fields.append(...entriesOf(part, position).map(show));
      if (path.length === 0) {
        fields.append(show(length));
        controls.at(-1)?.field.element.querySelector(".lrw-field-box")?.append(percent);
      }
    }
    const shapes = catalogue.shapes.map((each) => ({
      value: each.name,
      label: each.title,
      title: each.help,
      group: groupOf(each),
    }));
    shape.setChoices([
      ...(part.node === "segment" ? [] : [{ value: ITSELF, label: nameOf(part) }]),
      ...shapes.sort((a, b) => a.group.localeCompare(b.group)),
    ]);
  }

  return {
    element,
    update(next, chosen, track) {
      node = next;
      const parts = partsOf(node);
      index = Math.min(chosen, parts.length - 1);
      const part = parts[index];
      const key = [track, index, ...tree(part).map((each) => nameOf(each.part))].join();
      if (key !== built) {
        built = key;
        setText(error, "");
        build();
      }
      const begin = starts(node)[index];
      const own = lengthOf(part);
      setText(title, `Segment ${index + 1} of ${parts.length}`);
      setText(
        span,
        `steps ${formatSteps(begin)} – ${own === null ? "∞" : formatSteps(begin + own)}`,
      );
      shape.set(shapeChoice());
      for (const { entry, field } of controls) {
        field.set(entry.read(part) ?? ENDLESS);
      }
      const total = steps(node);
      const share = total && own ? (100 * own) / total : null;
      setText(percent, share === null ? "" : `${share.toFixed(share < 9.95 ? 1 : 0)} %`);
      setDisabled(remove, parts.length === 1, "a schedule has at least one segment");
      setDisabled(split, own === 1, "one step cannot be split");
    },
    focus(parameter) {
      const chosen =
        controls.find(({ entry }) => entry.name === parameter) ??
        controls.find(({ entry }) => entry === length);
      chosen?.field.input.focus();
      chosen?.field.input.select();
    },
  };
}
