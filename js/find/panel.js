/**
 * The Find panel: a range test, what the rules read off it, short real runs, and an advice.
 */

import { button, createNote, setDisabled, setLabel } from "../shared/controls.js";
import { createCrosshair } from "../shared/crosshair.js";
import { h } from "../shared/dom.js";
import { formatRate, sentence } from "../shared/format.js";
import { GONE } from "../shared/protocol.js";
import { BUSY_TEXT } from "../shared/status.js";
import { readFind, readTrain } from "../shared/traits.js";
import { createAdvice } from "./advice.js";
import { createProbeViews } from "./probe_views.js";
import { NO_PROBES, readProbes } from "./probes.js";
import { rateRange } from "./range.js";
import { chosenSettings, createSettings } from "./settings.js";
import { afterHiding, createSuggestions, isHidden } from "./suggestions.js";
import { createSweepPlot } from "./sweep_plot.js";
import { canCheckHere, failureOf, isBarren, noteOf, spokenOutcome } from "./words.js";

/** @typedef {import("../frame/view.js").Context} Context */
/** @typedef {import("../shared/traits.js").RuleDeclaration} RuleDeclaration */

const STOPPING = "stopping…";

/**
 * @param {Context} context
 * @returns {{element: HTMLElement}}
 */
export function createFindPanel(context) {
  const { client, catalogue, store, sweep, theme, announce, use, on, signal } = context;

  /** @type {RuleDeclaration[]} */
  const rules = catalogue.rules ?? [];
  /** @param {RuleDeclaration} rule */
  const hidden = (rule) => isHidden(rule, store.get());
  let find = readFind(use("_find"));
  let probes = readProbes(use("_probes"));
  let wasRunning = find.state === "running";
  /** What the person asked for last and has no answer yet, with the words for it.
   * @type {{kind: string, words: string, busy: boolean} | null} */
  let pending = null;
  let failed = false;

  const settings = createSettings({
    settings: chosenSettings(find.settings, store.get().findSettings),
    onChange: (findSettings) => store.set({ findSettings }),
    signal,
  });
  const start = button({
    label: "Find",
    kind: "primary",
    hook: "find-start",
    single: true,
    title: "Run the range test, then short real runs",
    signal,
    onClick: () => begin("start"),
  });
  const stop = button({
    label: "Stop",
    hook: "find-stop",
    single: true,
    title: "What has come until then is kept",
    signal,
    onClick: () => send("find.stop", {}, STOPPING),
  });
  const again = button({
    label: "Check again from here",
    hook: "find-again-here",
    single: true,
    title: "The run pauses, a copy of it is searched from this step, and the run goes on",
    signal,
    onClick: () => begin("here"),
  });
  const note = createNote();
  const cross = createCrosshair(signal);
  const sweepPlot = createSweepPlot({ sweep, rules, hidden, cross, theme, signal });
  const probeViews = createProbeViews({
    cross,
    theme,
    onPick: (rate) => takeRate(rate, "a short run"),
    signal,
  });
  const advice = createAdvice({ onUse: (rate) => takeRate(rate, "the advice"), signal });
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
    onHide: (rule, hide) => store.set(afterHiding(rule, hide, store.get())),
    onUse: (rate, rule) => takeRate(rate, rule.title),
  });

  const bar = h("div", { class: "lrw-row lrw-find-bar" });
  const side = h("div", { class: "lrw-find-side" }, advice.element, probeViews.fan);
  const element = h(
    "div",
    { class: "lrw-find" },
    bar,
    settings.fields,
    note.element,
    h(
      "div",
      { class: "lrw-find-body" },
      h(
        "div",
        { class: "lrw-find-plots" },
        sweepPlot.head,
        h("div", { class: "lrw-plot-box" }, sweepPlot.element, empty),
        probeViews.element,
      ),
      side,
      probeViews.list,
      suggestions.element,
    ),
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
   * @returns {Promise<boolean>} whether it was done; if not, the reason is shown
   */
  async function send(kind, fields, waiting) {
    failed = false;
    const own = { kind, words: waiting, busy: false };
    pending = own;
    update();
    try {
      await client.request(kind, fields, {
        onBusy: () => {
          own.busy = true;
          update();
        },
      });
      return true;
    } catch (reason) {
      showError(reason instanceof Error ? reason.message : String(reason));
      return false;
    } finally {
      pending = pending === own ? null : pending;
      if (!signal.aborted) {
        update();
      }
    }
  }

  /** @param {"start" | "here"} from */
  async function begin(from) {
    const chosen = settings.read();
    if (typeof chosen === "string") {
      // The field that it is about has the focus by now, and the text under it.
      announce(sentence(chosen));
    } else {
      await send("find.start", { ...chosen, from }, "starting…");
    }
  }

  /** Why no rate can be taken just now. */
  function whyNotTaken() {
    if (pending !== null) {
      return "Waiting for the kernel";
    }
    if (client.state().gone) {
      return "The kernel is gone";
    }
    if (find.settings.from === "here") {
      if (find.state === "running") {
        return "The search in the middle of the run goes on";
      }
      if (!canCheckHere(readTrain(use("_train")))) {
        return "The run that this was found for does not go on";
      }
    }
    return null;
  }

  /**
   * @param {number} rate
   * @param {string} source Where it is from, in words.
   */
  async function takeRate(rate, source) {
    const why = whyNotTaken();
    if (why !== null) {
      announce(why);
      return;
    }
    const here = find.settings.from === "here";
    const fields = here ? { learning_rate: rate, from: "here" } : { learning_rate: rate };
    const waiting = here ? "scaling the rest of the run…" : "rescaling the schedule…";
    if (await send("find.use", fields, waiting)) {
      if (element.offsetParent) {
        // Whoever has gone elsewhere meanwhile is not called away.
        context.show(here ? "train" : "design");
      }
      announce(
        here
          ? `What is left of the run's curve was scaled to ${formatRate(rate)}, from ${source}.`
          : `The schedule now peaks at ${formatRate(rate)}, from ${source}.`,
      );
    }
  }

  function isBlank() {
    return find.state === "idle" && sweep.table.length === 0 && find.error === null;
  }

  /** @param {ReturnType<typeof readTrain>} train */
  function placeButtons(train) {
    const running = find.state === "running";
    const focused = element.contains(activeElement(element)) ? activeElement(element) : null;
    const blank = isBlank();
    empty.hidden = !blank;
    sweepPlot.head.hidden = blank;
    suggestions.element.hidden = blank;
    const probed = !blank && find.advice !== null;
    // A refusal before the first short run stands right under the sweep.
    const bare = isBarren(find) && probes.runs.length === 0;
    probeViews.element.hidden = !probed || bare;
    probeViews.list.hidden = probeViews.element.hidden;
    probeViews.fan.hidden = bare;
    side.hidden = !probed;
    element.classList.toggle("lrw-find-probed", probed);
    const home = blank ? empty : bar;
    if (start.parentNode !== home) {
      home.append(start);
    }
    if (settings.toggle.parentNode !== bar) {
      bar.append(stop, settings.toggle, again);
    }
    if (!blank && bar.firstChild !== start) {
      bar.prepend(start);
    }
    start.hidden = running;
    stop.hidden = !running;
    // It stays while it works: what stands behind it in a narrow bar must not move.
    again.hidden = !canCheckHere(train) && !(running && find.settings.from === "here");
    // The button under the keyboard's focus may just have gone: its counterpart takes over.
    if (focused === start || focused === stop || (focused === again && again.hidden)) {
      (running ? stop : start).focus();
    }
  }

  function update() {
    const train = readTrain(use("_train"));
    const gone = client.state().gone;
    if (pending?.kind === "find.start" && find.state === "running") {
      // That it runs is the answer, and Stop must not wait for another.
      pending = null;
    }
    placeButtons(train);
    const training = ["running", "compiling"].includes(train.state);
    const waits = gone ? "The kernel is gone" : "Waiting for the kernel";
    setDisabled(
      start,
      pending !== null || gone || training,
      training && !gone ? "Pause or stop the training run first" : waits,
    );
    const stopping = find.stopping || pending?.words === STOPPING;
    setLabel(stop, stopping ? "Stopping…" : "Stop");
    setDisabled(stop, stopping || pending !== null || gone, waits);
    const running = find.state === "running";
    setDisabled(
      again,
      pending !== null || gone || running,
      running && !gone ? "A search is running" : waits,
    );
    if (!failed) {
      const { runs } = probes;
      const best = runs.find((run) => run.best)?.rate;
      const come = { points: sweep.table.length, runs: runs.length, best };
      note.say(
        gone
          ? sentence(`${GONE}.`)
          : find.stopping || !pending
            ? noteOf(find, train.state, come)
            : pending.busy
              ? BUSY_TEXT
              : pending.words,
      );
    }
    settings.allowValidation(find.validation);
    const why = whyNotTaken();
    suggestions.update(find, why);
    advice.update(find, why);
    probeViews.allow(find, why);
  }

  function draw() {
    const asked = find.state === "idle" ? settings.value() : find.settings;
    const range = rateRange(asked, sweep.table.column("learning_rate"), probes.runs);
    sweepPlot.update(find, range);
    if (find.advice !== null) {
      probeViews.update(probes, find, range);
      probeViews.allow(find, whyNotTaken());
    }
  }

  function onFind() {
    find = readFind(use("_find"));
    const running = find.state === "running";
    if (running !== wasRunning) {
      failed = false;
      if (running) {
        // Those of the search before are gone as soon as another begins.
        probes = NO_PROBES;
      }
      announce(running ? "The range test runs." : spokenOutcome(find));
    }
    wasRunning = running;
    if (find.error !== null) {
      failed = true;
      note.fail(failureOf(find.error));
    }
    refresh();
  }

  function refresh() {
    update();
    draw();
  }

  on("_find", onFind);
  on("_probes", () => {
    probes = readProbes(use("_probes"));
    refresh();
  });
  on("_train", update);
  client.onState(update, signal);
  sweep.subscribe(refresh, signal);
  store.subscribe(({ findSettings }, previous) => {
    if (findSettings && findSettings !== previous.findSettings) {
      settings.set(chosenSettings(find.settings, findSettings));
    }
    update();
    sweepPlot.redraw();
  }, signal);
  onFind();

  return { element };
}

/**
 * @param {Node} node
 * @returns {Element | null}
 */
function activeElement(node) {
  const root = node.getRootNode();
  return root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
}
