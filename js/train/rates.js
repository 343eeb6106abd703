/**
 * The learning rate over the run: what was is a fact, what comes is a curve that can be bent.
 */

import { createScheduleCanvas } from "../design/canvas.js";
import { createNote, SCALES, segmentedControl, select } from "../shared/controls.js";
import { h, setText } from "../shared/dom.js";
import { formatRate } from "../shared/format.js";
import { plotTitle } from "../shared/plot.js";
import { decimate, gather } from "../shared/series.js";
import { createBend } from "./bend.js";
import { lookOf } from "./branches.js";
import { createFlags } from "./flags.js";
import { hasRun, isOver, isWaiting } from "./gates.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */

const HINT = "Drag the curve ahead of the run: it follows from the next step on.";

/**
 * @param {import("../frame/view.js").Context} context
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {import("./branches.js").BranchData} options.branches
 * @param {import("./preview.js").Preview} options.preview
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, extent: number) => void}}
 */
export function createRates(
  { catalogue, run, store, announce, use },
  { send, train, cross, branches, preview, signal },
) {
  const note = createNote();
  const title = plotTitle();
  const watch = select({
    label: "hyperparameter",
    hideLabel: true,
    choices: [],
    value: "",
    hook: "watch",
    signal,
    onChange: async (address) => {
      await send("train.watch", { address }, { waiting: "…", note, control: watch.select });
      update(train(), end);
    },
  });
  const value = h("span", { class: "lrw-key-value", hook: "rate-value" });
  const held = h("span", {
    class: "lrw-badge",
    title: "Set by hand: Release goes back to the plan",
  });
  const scale = segmentedControl({
    label: "y axis of the learning rate",
    choices: SCALES,
    value: yScale(),
    hook: "rate-scale",
    signal,
    onChange: (rateScale) => store.set({ rateScale }),
  });
  const flags = createFlags();
  /** @type {{step: number[] | Float64Array, value: number[] | Float64Array} | null} */
  let past = null;
  /** @type {import("../design/track_lines.js").Line[]} */
  let lines = [];
  let end = 1;
  const bend = createBend(() => use("_train"));
  let bent = false;

  const canvas = createScheduleCanvas({
    catalogue,
    getNode: shownPlan,
    onCommit: commit,
    onRefused: (rule) => (rule === null ? note.say("") : note.fail(rule)),
    lockedBefore: () => lockedBefore(train(), lastStep()),
    past: () => past,
    lines: () => lines,
    ghost: () => preview.shown()?.plan ?? null,
    yScale,
    total: () => end,
    stepsPerEpoch: () => train().steps_per_epoch,
    get label() {
      return watchedName(train());
    },
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

  /** @returns {ScheduleNode} */
  function shownPlan() {
    const now = train();
    return bend.node(now.address) ?? planOf(now);
  }

  /** @param {ScheduleNode} node */
  async function commit(node) {
    // Before the first run the plan is the design itself.
    const kind = hasRun(train()) ? "train.plan" : "schedule.set";
    const { address } = train();
    const fields = hasRun(train()) && address ? { schedule: node, address } : { schedule: node };
    const answered = bend.hold(node, address);
    const answer = await send(kind, fields, { waiting: "bending the curve…", note });
    const newest = answered(answer !== null);
    if (answer === null && newest && !signal.aborted) {
      // Refused: the curve shows again what the run will really do.
      canvas.setNode(shownPlan());
    } else if (answer !== null) {
      announce("The curve has changed.");
    }
  }

  /**
   * @param {Train} now
   * @param {number} extent
   */
  function update(now, extent) {
    end = extent;
    setText(value, formatRate(now.learning_rate));
    note.setRest(restText(now));
    showWatch(now);
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
    const last = past.step[past.step.length - 1];
    if (last === undefined) {
      past = null;
    } else if (now.step > last + 1 && now.learning_rate !== null) {
      // The status is ahead of the rows: its own value closes the gap until they come.
      past = { step: [...past.step, now.step], value: [...past.value, now.learning_rate] };
    }
    const ofRates = watchedName(now).endsWith("learning rate");
    lines = (ofRates ? now.effective : [])
      // A group whose chain has no one rate has none to draw.
      .filter((name) => !Number.isNaN(run.table.column(name).at(-1)))
      .map((name) => ({ ...read(name), label: rateLabel(name, run.table.column(name).at(-1)) }))
      .filter(({ step }) => step.length > 0);
    lines.push(
      ...branches.rates().map(({ kind, x, y, slot }) => ({
        label: "",
        step: x,
        value: y,
        // What was cut off may have been held far above everything else.
        free: kind === "abandoned",
        look: `lrw-branch ${lookOf(slot).name}`,
      })),
    );
    const stillBent = bend.node(now.address) !== null;
    if (bent && !stillBent && !canvas.editing.active()) {
      // The same curve in Python's words: it may have samples that only Python can draw.
      canvas.setNode(planOf(now));
    }
    bent = stillBent;
    canvas.update();
    flags.update(now.edits, extent);
  }

  /** @param {Train} now */
  function showWatch(now) {
    const { addresses, address } = now;
    const many = addresses.length > 1;
    title.hidden = many;
    watch.element.hidden = !many;
    setText(title, watchedName(now));
    watch.setChoices(
      addresses.map((each) => ({ value: each.address, label: nameOf(each, addresses) })),
    );
    watch.select.disabled = now.off !== null || !hasRun(now);
    if (address !== null && !isWaiting(watch.select)) {
      watch.set(address);
    }
  }

  return {
    element: h(
      "div",
      { class: "lrw-plot-block lrw-rates", hook: "rate-plot" },
      h(
        "div",
        { class: "lrw-plot-head" },
        title,
        watch.element,
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
    update,
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

/**
 * A hyperparameter in words, with its place in the chain where another has the same name.
 *
 * @param {import("../shared/traits.js").Watchable} one
 * @param {import("../shared/traits.js").Watchable[]} all
 */
function nameOf({ address, short }, all) {
  const once = all.filter((other) => other.short === short).length < 2;
  return (once ? short : address).replaceAll("_", " ");
}

/** @param {Pick<Train, "address" | "addresses">} train */
export function watchedName({ address, addresses }) {
  const one = addresses.find((each) => each.address === address);
  return one ? nameOf(one, addresses) : "learning rate";
}

/** @param {Train} train */
function restText({ state, off, plan, able, address }) {
  if (off !== null || isOver(state)) {
    return "";
  }
  // A control of one's own loop names no address.
  const fixed = plan === null || (able.length > 0 && address === null);
  return fixed ? "This run has no hyperparameter that can change while it runs." : HINT;
}
