/**
 * The controls above the curve: tracks and presets, undo, tools, units, export, and the two numbers
 * of the whole schedule.
 */

import { ENDLESS, MAX_STEPS, peak, refused, resize, scale, steps } from "../schedule/model.js";
import {
  button,
  numberField,
  quietLabel,
  SCALES,
  segmentedControl,
  setDisabled,
} from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */
/** @typedef {import("./axes.js").XUnit} XUnit */
/** @typedef {"select" | "pencil"} Tool */

/**
 * @param {object} host
 * @param {import("../schedule/model.js").Catalogue} host.catalogue
 * @param {() => ScheduleNode} host.node
 * @param {() => number | null} host.stepsPerEpoch
 * @param {() => void} host.undo
 * @param {() => void} host.redo
 * @param {(move: (node: ScheduleNode) => ScheduleNode | Refusal, then?: () => void,
 *   together?: boolean) => Promise<string | null>} host.edit
 * @param {() => XUnit} host.xUnit
 * @param {(unit: XUnit) => void} host.setXUnit
 * @param {() => "log" | "linear"} host.yScale
 * @param {(scale: "log" | "linear") => void} host.setYScale
 * @param {() => Tool} host.tool
 * @param {(tool: Tool) => void} host.setTool
 * @param {() => void} host.fit
 * @param {HTMLElement[]} host.begin what stands before all of it
 * @param {HTMLElement} host.end
 * @param {AbortSignal} host.signal
 */
export function createToolbar(host) {
  const { catalogue, edit, signal } = host;
  const undo = button({
    label: "↶",
    name: "undo",
    title: "undo (Ctrl+Z)",
    onClick: host.undo,
    hook: "undo",
    signal,
  });
  const redo = button({
    label: "↷",
    name: "redo",
    title: "redo (Shift+Ctrl+Z)",
    onClick: host.redo,
    hook: "redo",
    signal,
  });
  /** @type {{value: XUnit, label: string, title: string}[]} */
  const units = [
    { value: "steps", label: "steps", title: "x axis in steps" },
    { value: "epochs", label: "epochs", title: "x axis in epochs" },
    { value: "percent", label: "%", title: "x axis in percent of the schedule" },
  ];
  const xUnit = segmentedControl({
    label: "x axis",
    choices: units.filter(({ value }) => value !== "epochs" || host.stepsPerEpoch() !== null),
    value: host.xUnit(),
    onChange: (value) => host.setXUnit(/** @type {XUnit} */ (value)),
    hook: "x-unit",
    signal,
  });
  const tool = segmentedControl({
    label: "tool",
    choices: [
      { value: "select", label: "select", title: "drag knots, borders and segments" },
      { value: "pencil", label: "pencil", title: "draw over a stretch; Escape goes back" },
    ],
    value: host.tool(),
    onChange: (value) => host.setTool(/** @type {Tool} */ (value)),
    hook: "tool",
    signal,
  });
  const fit = button({
    label: "⤢ fit",
    name: "fit the whole curve",
    title: "show the whole curve again",
    onClick: host.fit,
    hook: "fit",
    signal,
  });
  const yScale = segmentedControl({
    label: "y axis",
    choices: SCALES,
    value: host.yScale(),
    onChange: (value) => host.setYScale(value === "log" ? "log" : "linear"),
    hook: "y-scale",
    signal,
  });

  /**
   * A number of the whole schedule.
   *
   * @param {object} options
   * @param {string} options.label
   * @param {string} options.hook
   * @param {string} options.title
   * @param {(node: ScheduleNode, value: number) => ScheduleNode | Refusal} options.move
   * @param {(value: number) => string} options.format
   * @param {() => import("../shared/format.js").NumberUnits} options.units
   * @param {boolean} [options.together] whether tracks of the same length make the same move
   */
  function wholeField({ label, hook, title, move, format, units: unitsOf, together }) {
    const field = numberField({
      label,
      value: null,
      title,
      parse(text) {
        const parsed = parseNumber(text, unitsOf());
        if (parsed.value === undefined) {
          return parsed;
        }
        const result = move(host.node(), parsed.value);
        return refused(result) ? { error: result.error } : parsed;
      },
      format,
      onCommit: async (value) =>
        (await edit((node) => move(node, value), undefined, together)) ?? undefined,
      hook,
      signal,
    });
    field.element.classList.add("lrw-field-row");
    return field;
  }

  const highest = wholeField({
    label: "peak",
    hook: "field-peak",
    title: "scales the whole curve",
    move: (node, value) => {
      const now = peak(node);
      if (!(value > 0)) {
        return { error: `the peak must be a finite number > 0, got ${value}` };
      }
      return now > 0
        ? scale(catalogue, node, value / now)
        : { error: "a curve that is zero everywhere cannot be scaled" };
    },
    format: formatRate,
    units: () => ({ peak: peak(host.node()) }),
  });
  const length = wholeField({
    label: "length",
    hook: "field-total",
    title: "stretches the whole curve, every border in proportion, and tracks as long as it",
    together: true,
    move: (node, value) => resize(catalogue, node, Math.round(Math.min(value, 2 * MAX_STEPS))),
    format: formatSteps,
    units: () => ({ stepsPerEpoch: host.stepsPerEpoch(), total: steps(host.node()) }),
  });

  return {
    element: h(
      "div",
      { class: "lrw-row lrw-design-toolbar" },
      ...host.begin,
      h("span", { class: "lrw-joined" }, undo, redo),
      tool.element,
      h("span", { class: "lrw-row" }, highest.element, length.element),
      h(
        "span",
        { class: "lrw-axes" },
        quietLabel("x"),
        xUnit.element,
        quietLabel("y"),
        yScale.element,
        fit,
      ),
      host.end,
    ),
    /** @param {{node: ScheduleNode, canUndo: boolean, canRedo: boolean}} state */
    update({ node, canUndo, canRedo }) {
      setDisabled(undo, !canUndo);
      setDisabled(redo, !canRedo);
      highest.set(peak(node));
      length.set(steps(node) ?? ENDLESS);
      xUnit.set(host.xUnit());
      yScale.set(host.yScale());
      tool.set(host.tool());
    },
  };
}
