/**
 * The learning rate over the run: what was is a fact, what comes is a curve that can be bent.
 */

import { createScheduleCanvas } from "../design/canvas.js";
import { createNote, segmentedControl } from "../shared/controls.js";
import { h, setText } from "../shared/dom.js";
import { formatRate } from "../shared/format.js";
import { decimate, gather } from "../shared/series.js";
import { createFlags } from "./flags.js";
import { hasRun, isOver } from "./transport.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */

const HINT = "Drag the curve ahead of the run: it follows from the next step on.";

/**
 * @param {import("../frame/view.js").Context} context
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, extent: number) => void}}
 */
export function createRates({ catalogue, run, store, announce }, { send, train, cross, signal }) {
  const note = createNote();
  const value = h("span", { class: "lrw-key-value", hook: "rate-value" });
  const held = h("span", {
    class: "lrw-badge",
    title: "Set by hand: Release goes back to the plan",
  });
  const scale = segmentedControl({
    label: "y axis of the learning rate",
    choices: [
      { value: "linear", label: "linear" },
      { value: "log", label: "log" },
    ],
    value: yScale(),
    hook: "rate-scale",
    signal,
    onChange: (rateScale) => store.set({ rateScale }),
  });
  const flags = createFlags();
  /** @type {{step: Float64Array, value: Float64Array} | null} */
  let past = null;
  /** @type {{label: string, step: Float64Array, value: Float64Array}[]} */
  let lines = [];
  let commits = 0;

  const canvas = createScheduleCanvas({
    catalogue,
    getNode: () => planOf(train()),
    onCommit: commit,
    onRefused: (rule) => (rule === null ? note.say("") : note.fail(rule)),
    lockedBefore: () => lockedBefore(train(), lastStep()),
    past: () => past,
    lines: () => lines,
    yScale,
    total: () => Math.max(1, train().total, train().step),
    stepsPerEpoch: () => train().steps_per_epoch,
    label: "learning rate",
    announce,
    signal,
  });

  /** The last step whose row has come: the rows of a run may be ahead of its status. */
  function lastStep() {
    const steps = run.table.column("step");
    return run.run() === train().run && steps.length > 0 ? steps[steps.length - 1] + 1 : 0;
  }

  /** @returns {"linear" | "log"} */
  function yScale() {
    return store.get().rateScale === "log" ? "log" : "linear";
  }

  /** @param {ScheduleNode} node */
  async function commit(node) {
    commits += 1;
    const own = commits;
    // Before the first run the plan is the design itself.
    const kind = hasRun(train()) ? "train.plan" : "schedule.set";
    const answer = await send(kind, { schedule: node }, { waiting: "bending the curve…", note });
    if (answer === null && own === commits && !signal.aborted) {
      // Refused: the curve shows again what the run will really do.
      canvas.setNode(planOf(train()));
    } else if (answer !== null) {
      announce("The curve has changed.");
    }
  }

  return {
    element: h(
      "div",
      { class: "lrw-plot-block lrw-rates", hook: "rate-plot" },
      h(
        "div",
        { class: "lrw-plot-head" },
        h("span", { class: "lrw-plot-title" }, "learning rate"),
        h(
          "span",
          { class: "lrw-keys" },
          h("span", { class: "lrw-key lrw-key-past" }, "now", value),
          held,
        ),
        scale.element,
      ),
      cross.over(h("div", { class: "lrw-plot-box" }, canvas.element, flags.element)),
      note.element,
    ),
    update(now, extent) {
      setText(value, formatRate(now.learning_rate));
      note.setRest(isOver(now.state) ? "" : HINT);
      held.hidden = now.held === null;
      setText(held, `held at ${formatRate(now.held)}`);
      scale.set(yScale());
      const steps = run.table.column("step");
      const pixels = Math.max(100, canvas.element.clientWidth);
      const read = (/** @type {string} */ name) => {
        const rates = run.table.column(name);
        const chosen = decimate(steps, rates, pixels);
        return { step: gather(steps, chosen), value: gather(rates, chosen) };
      };
      past = read("learning_rate");
      past = past.step.length > 0 ? past : null;
      lines = now.effective
        // A group whose chain has no one rate has none to draw.
        .filter((name) => !Number.isNaN(run.table.column(name).at(-1)))
        .map((name) => ({ ...read(name), label: rateLabel(name, run.table.column(name).at(-1)) }))
        .filter(({ step }) => step.length > 0);
      canvas.update();
      flags.update(now.edits, extent);
    },
  };
}

/**
 * @param {string} column
 * @param {number | undefined} value
 * @returns {string} what stands at the end of its line
 */
export function rateLabel(column, value) {
  return `${column.split("/", 1)[0].replace("_learning_rate", "")} ${formatRate(value)}`;
}

/**
 * Everything up to this step is fixed. Before the start nothing is; after the end all of it.
 *
 * @param {Train} train
 * @param {number} known Steps that are known to have been taken.
 * @returns {number | null}
 */
function lockedBefore({ state, step, total }, known) {
  if (state === "idle") {
    return null;
  }
  return isOver(state) ? Math.max(step, total) : Math.max(step, known);
}

/**
 * @param {Train} train
 * @returns {ScheduleNode}
 */
function planOf({ plan }) {
  return plan ?? { node: "segment", shape: "constant", steps: null, parameters: { value: 0 } };
}
