/**
 * The Train panel: a run that is watched and steered.
 */

import { createCrosshair } from "../shared/crosshair.js";
import { h, setText } from "../shared/dom.js";
import { sentence } from "../shared/format.js";
import { createFrames } from "../shared/frames.js";
import { readTrain } from "../shared/traits.js";
import { createBranches } from "./branches.js";
import { createSend } from "./commands.js";
import { createForks } from "./forks.js";
import { createJournal } from "./journal.js";
import { createLosses } from "./losses.js";
import { createMoves } from "./moves.js";
import { createPreview } from "./preview.js";
import { createProgress } from "./progress.js";
import { createRates } from "./rates.js";
import { swatch } from "./swatch.js";
import { createTimeline } from "./timeline.js";
import { createTransport } from "./transport.js";
import { createTrouble } from "./trouble.js";

/** @typedef {import("../frame/view.js").Context} Context */
/** @typedef {ReturnType<typeof readTrain>} Train */

/** Elements that use Space themselves. */
const USES_SPACE = "input, select, textarea, button, summary, a[href], [contenteditable]";

/** Elements with an undo of their own. */
const USES_TEXT = "input, textarea, [contenteditable]";

/**
 * @param {Context} context
 * @returns {{element: HTMLElement}}
 */
export function createTrainPanel(context) {
  const { client, run, store, use, on, announce, signal } = context;

  const train = () => readTrain(use("_train"));
  const { send, forget } = createSend(context, signal);
  let schedule = () => {};
  let shownRun = train().run;
  const branches = createBranches(() => use("_branches"));
  const preview = createPreview({ client, train, onChange: () => schedule(), signal });
  const off = h("p", { class: "lrw-off", hook: "run-off", hidden: true });
  const transport = createTransport({ send, train, signal });
  const progress = createProgress();
  const trouble = createTrouble({ send, train, signal });
  const cross = createCrosshair(signal);
  const losses = createLosses(context, { train, cross, branches, signal });
  const { slotOf } = branches;
  const timeline = createTimeline({ send, train, cross, announce, slotOf, signal });
  const rates = createRates(context, { send, train, cross, branches, preview, signal });
  const forks = createForks({ send, train, slotOf, swatch, announce, signal });
  const moves = createMoves({
    send,
    train,
    preview,
    store,
    swatch,
    branches,
    theme: context.theme,
    signal,
  });
  const journal = createJournal({ send, announce, signal });

  const element = h(
    "div",
    {
      class: "lrw-train",
      role: "group",
      // The panel itself takes the focus, so that Space works after a click on a plot.
      tabindex: "0",
      "aria-label": "Training run. Space starts, pauses and resumes.",
      signal,
      on: { keydown: onKey },
    },
    off,
    transport.element,
    progress.element,
    trouble.element,
    h("div", { class: "lrw-plots" }, losses.element, timeline.element, rates.element),
    forks.element,
    moves.element,
    journal.element,
  );

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const target = /** @type {Element} */ (event.composedPath()[0]);
    const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (undoes && event.key.toLowerCase() === "z" && !target.closest(USES_TEXT)) {
      event.preventDefault();
      moves.undo();
      return;
    }
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (event.key === " " && plain && !event.defaultPrevented && !target.closest(USES_SPACE)) {
      event.preventDefault();
      if (!event.repeat) {
        transport.toggle();
      }
    }
  }

  function draw() {
    const now = train();
    const reachable = !client.state().gone;
    if (now.run !== shownRun) {
      shownRun = now.run;
      forget();
    }
    branches.update(now);
    const extent = extentOf(now, branches.end());
    off.hidden = now.off === null;
    setText(off, `${sentence(now.off)}.`);
    transport.update(now, reachable);
    progress.update(now);
    trouble.update(now, reachable);
    losses.update(now, extent);
    timeline.update(now, extent, reachable);
    rates.update(now, extent);
    forks.update(now);
    moves.update(now, reachable);
    journal.update(now, reachable);
  }

  schedule = createFrames(element, draw, signal);
  on("_train", schedule);
  on("_branches", schedule);
  run.subscribe(schedule, signal);
  client.onState(schedule, signal);
  store.subscribe(schedule, signal);
  draw();

  return { element };
}

/**
 * Where the x axis of both plots ends: forks and a fan may go further than the run.
 *
 * @param {Pick<Train, "total" | "step" | "forks" | "fan">} train
 * @param {number} lines Where the longest line beside the run ends.
 */
export function extentOf({ total, step, forks, fan }, lines) {
  const ahead = fan ? fan.step + fan.steps : 0;
  return Math.max(1, total, step, ahead, lines, ...forks.map((fork) => fork.position));
}
