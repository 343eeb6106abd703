/**
 * What can be done at a step of the past: go back to it, or begin another run there.
 */

import { button, createNote, numberField } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatLoss, formatSteps } from "../shared/format.js";
import { gate, whyBound } from "./gates.js";
import { parseWhole } from "./step_field.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/** @type {Record<string, string>} */
const REASONS = {
  start: "the initial weights",
  interval: "kept on the way",
  epoch: "the end of an epoch",
  best: "the best validation",
  edit: "kept before an edit",
  guard: "kept by the guard",
  hand: "kept by hand",
  last: "the newest",
  end: "the end of the run",
};

/**
 * Why there is a snapshot, in words.
 *
 * @param {{step: number, reason: string}} snapshot
 * @param {Pick<Train, "best">} train
 */
export function reasonText({ step, reason }, { best }) {
  const value = best?.step === step ? ` (${formatLoss(best.value)})` : "";
  const said = best?.step === step ? REASONS.best : (REASONS[reason] ?? reason);
  return said + value;
}

/**
 * How a step of the past is reached.
 *
 * @param {number} step
 * @param {Pick<Train, "snapshots" | "best">} train
 */
export function routeText(step, train) {
  const from = train.snapshots.findLast((snapshot) => snapshot.step <= step);
  if (!from) {
    return "";
  }
  const steps = step - from.step;
  const reason = reasonText(from, train);
  return steps === 0
    ? `Snapshot: ${reason}`
    : `${formatSteps(steps)} ${steps === 1 ? "step" : "steps"} replayed from the snapshot at ${formatSteps(from.step)}`;
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {(text: string) => void} options.announce
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, open: (step: number, anchor: HTMLElement, left?: number) => void,
 *   update: (train: Train, reachable: boolean) => void}}
 */
export function createMoment({ send, train, announce, signal }) {
  const note = createNote();
  const route = h("p", { class: "lrw-note lrw-note-line" });
  let at = 0;
  let opened = 0;
  /** The order that waits for its answer. */
  let pending = "";
  const field = numberField({
    label: "step",
    value: 0,
    parse: (text) => parseWhole(text, train(), 0, train().step),
    format: formatSteps,
    hook: "field-moment",
    title: "Any step that has been trained",
    signal,
    onCommit: (step) => {
      at = step;
      show();
    },
  });
  const rewind = button({
    label: "Rewind here",
    hook: "snapshot-rewind",
    kind: "primary",
    title: "The run goes back to this step and pauses; what came after stays as a thin line",
    signal,
    onClick: () => go("train.rewind", rewind, "rewinding…", "Rewound to step"),
  });
  rewind.autofocus = true;
  const fork = button({
    label: "Fork here",
    hook: "snapshot-fork",
    title: "A second run begins from this step, beside this one",
    signal,
    onClick: () => go("train.fork", fork, "forking…", "Forked at step"),
  });
  const element = h(
    "div",
    { class: "lrw-menu lrw-moment", popover: "auto", role: "dialog", "aria-label": "This step" },
    field.element,
    route,
    h("div", { class: "lrw-row" }, rewind, fork),
    note.element,
  );

  function show() {
    setText(route, routeText(at, train()));
    setAttribute(element, "aria-label", `Step ${at}`);
  }

  /**
   * @param {string} kind
   * @param {HTMLElement} control
   * @param {string} waiting
   * @param {string} done
   */
  async function go(kind, control, waiting, done) {
    const step = field.read();
    const order = `${kind} ${step}`;
    // A second click is none: it would make two forks.
    if (step === null || order === pending) {
      return;
    }
    pending = order;
    const own = opened;
    const answer = await send(kind, { step }, { waiting, note, control });
    pending = pending === order ? "" : pending;
    if (answer !== null && !signal.aborted) {
      announce(`${done} ${step}.`);
      if (own === opened) {
        element.hidePopover();
      }
    }
  }

  return {
    element,
    open(step, anchor, left) {
      const box = anchor.getBoundingClientRect();
      element.style.setProperty("--lrw-left", `${left ?? box.left}px`);
      element.style.setProperty("--lrw-top", `${box.bottom}px`);
      at = step;
      opened += 1;
      field.reset(step);
      note.say("");
      show();
      element.showPopover();
    },
    update(now, reachable) {
      const why = whyBound(now, reachable);
      gate(rewind, why);
      gate(fork, why);
      fork.hidden = !now.able.includes("fork");
    },
  };
}
