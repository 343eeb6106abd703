/**
 * The Find panel: a range test, its curve as it comes, and what the rules read off it.
 */

import { button, createNote, setDisabled } from "../shared/controls.js";
import { createCrosshair } from "../shared/crosshair.js";
import { h, setText } from "../shared/dom.js";
import { formatLoss, formatRate, formatSteps } from "../shared/format.js";
import { createPlot } from "../shared/plot.js";
import { nearest } from "../shared/series.js";
import { BUSY_TEXT } from "../shared/status.js";
import { readFind, readTrain } from "../shared/traits.js";
import { paintMarks, ruleStyle } from "./marks.js";
import { sweepRange } from "./range.js";
import { createSettings } from "./settings.js";
import { createSuggestions } from "./suggestions.js";

/** @typedef {import("../frame/view.js").Context} Context */

const PLOT_HEIGHT = 280;

/**
 * @param {Context} context
 * @returns {{element: HTMLElement}}
 */
export function createFindPanel(context) {
  const { client, catalogue, store, sweep, theme, announce, use, on, signal } = context;

  /** @type {import("../shared/traits.js").RuleDeclaration[]} */
  const rules = catalogue.rules ?? [];
  const hidden = () => /** @type {string[]} */ (store.get().hiddenRules ?? []);
  let find = readFind(use("_find"));
  let wasRunning = find.state === "running";
  /** What the person asked for last and has no answer yet. @type {string | null} */
  let pending = null;

  const settings = createSettings({
    settings: store.get().findSettings ?? find.settings,
    onChange: (findSettings) => store.set({ findSettings }),
    signal,
  });
  const start = button({
    label: "Find",
    kind: "primary",
    hook: "find-start",
    title: "Run the range test",
    signal,
    onClick: startSweep,
  });
  const stop = button({ label: "Stop", hook: "find-stop", signal, onClick: stopSweep });
  const note = createNote();
  let failed = false;
  const readout = h("span", { class: "lrw-under-pointer", "aria-hidden": "true" });
  const plot = createPlot({
    name: "Loss against learning rate",
    hook: "find-plot",
    height: PLOT_HEIGHT,
    xKind: "rates",
    xTitle: "learning rate (log)",
    formatY: (value) => formatLoss(value).replace(/\.?0+$/, ""),
    series: [
      { color: "series-1", alpha: 0.45, points: true },
      { color: "series-1", width: 2 },
    ],
    theme,
    signal,
    paint: (painter) =>
      paintMarks(
        painter,
        rules
          .map((rule, index) => ({
            title: rule.title,
            rate: find.suggestions[rule.name],
            style: ruleStyle(index),
            name: rule.name,
          }))
          .filter((mark) => mark.rate !== undefined && !hidden().includes(mark.name)),
        sweep.table.column("learning_rate"),
        sweep.table.column("smoothed"),
        find.diverged_at,
      ),
  });
  const cross = createCrosshair(signal);
  cross.onMove(showReadout);
  /** The range of rates shown. @type {[number, number]} */
  let shown = [find.settings.low, find.settings.high];
  const empty = h(
    "div",
    { class: "lrw-empty" },
    h(
      "p",
      {},
      "A range test trains a copy of your model while the learning rate climbs: where the loss falls fast, training learns fast; where it shoots up, the rate is too high.",
    ),
  );
  const suggestions = createSuggestions({
    rules,
    hidden,
    signal,
    onHide(name, hide) {
      const others = hidden().filter((each) => each !== name);
      store.set({ hiddenRules: hide ? [...others, name] : others });
    },
    onUse: takeRate,
  });

  const head = h(
    "div",
    { class: "lrw-plot-head" },
    h("span", { class: "lrw-plot-title" }, "loss"),
    h(
      "span",
      { class: "lrw-keys" },
      h("span", { class: "lrw-key lrw-key-points" }, "each step"),
      h("span", { class: "lrw-key" }, "smoothed"),
    ),
  );
  const bar = h("div", { class: "lrw-row lrw-find-bar" });
  const element = h(
    "div",
    { class: "lrw-find" },
    bar,
    settings.fields,
    note.element,
    head,
    h(
      "div",
      { class: "lrw-plot-box" },
      cross.over(h("div", { class: "lrw-plot-box" }, plot.element, readout)),
      empty,
    ),
    suggestions.element,
  );

  /** @param {string} text */
  function showError(text) {
    failed = true;
    note.fail(text);
    announce(text);
  }

  /**
   * @param {string} kind
   * @param {object} fields
   * @param {string} waiting
   */
  async function send(kind, fields, waiting) {
    failed = false;
    pending = waiting;
    update();
    try {
      return await client.request(kind, fields, {
        onBusy: () => {
          pending = BUSY_TEXT;
          update();
        },
      });
    } finally {
      pending = null;
      if (!signal.aborted) {
        update();
      }
    }
  }

  async function startSweep() {
    const chosen = settings.read();
    if (chosen === null) {
      return;
    }
    try {
      await send("find.start", chosen, "starting…");
    } catch (reason) {
      showError(messageOf(reason));
    }
  }

  async function stopSweep() {
    try {
      await send("find.stop", {}, "stopping…");
    } catch (reason) {
      showError(messageOf(reason));
    }
  }

  /**
   * @param {number} rate
   * @param {import("../shared/traits.js").RuleDeclaration} rule
   */
  async function takeRate(rate, rule) {
    try {
      await send("find.use", { learning_rate: rate }, "rescaling the schedule…");
      context.show("design");
      announce(`The schedule now peaks at ${formatRate(rate)}, from ${rule.title}.`);
    } catch (reason) {
      showError(messageOf(reason));
    }
  }

  function placeButtons() {
    const running = find.state === "running";
    const focused = element.contains(activeElement(element)) ? activeElement(element) : null;
    const blank = isBlank();
    empty.hidden = !blank;
    head.hidden = blank;
    suggestions.element.hidden = blank;
    const home = blank ? empty : bar;
    if (start.parentNode !== home) {
      home.append(start);
    }
    if (settings.toggle.parentNode !== bar) {
      bar.append(stop, settings.toggle);
    }
    if (!blank && bar.firstChild !== start) {
      bar.prepend(start);
    }
    start.hidden = running;
    stop.hidden = !running;
    // The button under the keyboard's focus may just have gone: its counterpart takes over.
    if (focused === start || focused === stop) {
      (running ? stop : start).focus();
    }
  }

  function isBlank() {
    return find.state === "idle" && sweep.table.length === 0 && find.error === null;
  }

  function update() {
    const train = readTrain(use("_train"));
    const gone = client.state().gone;
    placeButtons();
    const training = ["running", "compiling"].includes(train.state);
    setDisabled(
      start,
      pending !== null || gone || training,
      gone
        ? "The kernel is gone"
        : training
          ? "Pause or stop the training run first"
          : "Waiting for the kernel",
    );
    setDisabled(stop, pending !== null || gone, "Waiting for the kernel");
    if (!failed) {
      note.say(pending ?? noteOf(find, train.state));
    }
    suggestions.update(find);
  }

  function drawCurve() {
    const rates = sweep.table.column("learning_rate");
    const losses = sweep.table.column("loss");
    const smoothed = sweep.table.column("smoothed");
    const { low, high } = find.state === "idle" ? settings.value() : find.settings;
    shown = [Math.min(low, rates[0] ?? low), Math.max(high, rates[rates.length - 1] ?? high)];
    plot.setData({
      columns: [rates, losses, smoothed],
      x: shown,
      y: sweepRange(losses, smoothed),
    });
    placeButtons();
    describe();
  }

  function describe() {
    const n = sweep.table.length;
    if (n === 0) {
      plot.describe("no points yet");
      return;
    }
    const marks = rules
      .filter((rule) => find.suggestions[rule.name] !== undefined)
      .map((rule) => `${rule.title} ${formatRate(find.suggestions[rule.name])}`);
    const diverged =
      find.diverged_at === null ? "" : `; diverged at ${formatRate(find.diverged_at)}`;
    plot.describe(
      `${n} points${diverged}${marks.length > 0 ? `; suggestions: ${marks.join(", ")}` : ""}`,
    );
  }

  /** @param {number | null} share */
  function showReadout(share) {
    const rates = sweep.table.column("learning_rate");
    const index = share === null ? -1 : nearest(rates, shown[0] * (shown[1] / shown[0]) ** share);
    setText(
      readout,
      index < 0
        ? ""
        : `${formatRate(rates[index])}: loss ${formatLoss(sweep.table.column("loss")[index])}, smoothed ${formatLoss(sweep.table.column("smoothed")[index])}`,
    );
  }

  function onFind() {
    find = readFind(use("_find"));
    const running = find.state === "running";
    if (running !== wasRunning) {
      failed = false;
      announce(running ? "The range test runs." : outcomeOf(find));
    }
    wasRunning = running;
    if (find.error !== null) {
      failed = true;
      note.fail(failureOf(find.error));
    }
    update();
    drawCurve();
  }

  on("_find", onFind);
  on("_train", update);
  client.onState(update, signal);
  sweep.subscribe(drawCurve, signal);
  store.subscribe(({ findSettings }, previous) => {
    if (findSettings && findSettings !== previous.findSettings) {
      settings.set(findSettings);
    }
    update();
    plot.redraw();
  }, signal);
  onFind();

  return { element };
}

/** @param {unknown} reason */
function messageOf(reason) {
  return reason instanceof Error ? reason.message : String(reason);
}

/** @param {string} error */
function failureOf(error) {
  return `The range test failed: ${error}`;
}

/**
 * @param {Node} node
 * @returns {Element | null}
 */
function activeElement(node) {
  const root = node.getRootNode();
  return root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
}

/**
 * @param {import("../shared/traits.js").FindState} find
 * @param {string} training
 */
function noteOf(find, training) {
  if (find.state === "running") {
    const { steps } = find.settings;
    return `step ${formatSteps(Math.round(find.progress * steps))} of ${formatSteps(steps)}`;
  }
  if (["running", "compiling"].includes(training)) {
    return "A run is training: pause or stop it to run a range test.";
  }
  return find.state === "idle" ? "" : outcomeOf(find);
}

/** @param {import("../shared/traits.js").FindState} find */
function outcomeOf(find) {
  if (find.state === "failed") {
    return find.error === null ? "The range test failed." : failureOf(find.error);
  }
  if (find.state === "stopped") {
    return "Stopped before the end.";
  }
  if (find.diverged_at !== null) {
    return `Ended at ${formatRate(find.diverged_at)}, where the loss diverged.`;
  }
  return "The range test reached its highest rate.";
}
