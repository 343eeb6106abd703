/**
 * The Train panel: a run that is watched and steered.
 */

import { createCrosshair } from "../shared/crosshair.js";
import { h, setText } from "../shared/dom.js";
import { formatSteps } from "../shared/format.js";
import { readTrain } from "../shared/traits.js";
import { createSend } from "./commands.js";
import { createJournal } from "./journal.js";
import { createLosses } from "./losses.js";
import { createMoves } from "./moves.js";
import { createProgress } from "./progress.js";
import { createRates } from "./rates.js";
import { createTransport } from "./transport.js";

/** @typedef {import("../frame/view.js").Context} Context */
/** @typedef {ReturnType<typeof readTrain>} Train */

/** Elements that use Space themselves. */
const USES_SPACE = "input, select, textarea, button, summary, a[href], [contenteditable]";

/**
 * @param {Context} context
 * @returns {{element: HTMLElement, dispose: () => void}}
 */
export function createTrainPanel(context) {
  const controller = new AbortController();
  const { signal } = controller;
  context.signal.addEventListener("abort", () => controller.abort(), { once: true });
  const { client, run, store, use, on } = context;

  const train = () => readTrain(use("_train"));
  const { send, forget } = createSend(context, signal);
  let shownRun = train().run;
  const transport = createTransport({ send, train, signal });
  const progress = createProgress();
  const trouble = createTrouble();
  const cross = createCrosshair(signal);
  const losses = createLosses(context, { train, cross, signal });
  const rates = createRates(context, { send, train, cross, signal });
  const moves = createMoves({ send, train, signal });
  const journal = createJournal({ send, announce: context.announce, signal });

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
    transport.element,
    progress.element,
    trouble.element,
    h("div", { class: "lrw-plots" }, losses.element, rates.element),
    moves.element,
    journal.element,
  );

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const target = /** @type {Element} */ (event.composedPath()[0]);
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (event.key === " " && plain && !event.defaultPrevented && !target.closest(USES_SPACE)) {
      event.preventDefault();
      if (!event.repeat) {
        transport.toggle();
      }
    }
  }

  let frame = 0;
  let visible = true;

  function draw() {
    frame = 0;
    if (!visible) {
      return;
    }
    const now = train();
    const reachable = !client.state().gone;
    if (now.run !== shownRun) {
      shownRun = now.run;
      forget();
    }
    const extent = extentOf(now);
    transport.update(now, reachable);
    progress.update(now);
    trouble.update(now);
    losses.update(now, extent);
    rates.update(now, extent);
    moves.update(now, reachable);
    journal.update(now, reachable);
  }

  function schedule() {
    if (frame === 0 && !signal.aborted) {
      frame = requestAnimationFrame(draw);
    }
  }

  const sight = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    schedule();
  });
  sight.observe(element);
  const sizes = new ResizeObserver(schedule);
  sizes.observe(element);
  signal.addEventListener(
    "abort",
    () => {
      sight.disconnect();
      sizes.disconnect();
      cancelAnimationFrame(frame);
    },
    { once: true },
  );
  on("_train", schedule);
  run.subscribe(schedule, signal);
  client.onState(schedule, signal);
  store.subscribe(schedule, signal);
  draw();

  return { element, dispose: () => controller.abort() };
}

/**
 * Where the x axis of both plots ends.
 *
 * @param {Train} train
 */
function extentOf({ total, step }) {
  return Math.max(1, total, step);
}

/**
 * What went wrong with the run, and what to do next.
 *
 * @param {Pick<Train, "state" | "error" | "step">} train
 * @returns {{title: string, text: string, next: string} | null}
 */
export function troubleOf({ state, error, step }) {
  if (state === "diverged") {
    return {
      title: `Diverged at step ${formatSteps(step)}`,
      text: sentence(error),
      next: "Lower the peak or lengthen the warmup in Design, then press Restart.",
    };
  }
  if (state === "failed") {
    return {
      title: `Failed at step ${formatSteps(step)}`,
      text: sentence(error),
      next: "Mend the cause in the notebook and run the cell of the widget again.",
    };
  }
  return error ? { title: "", text: sentence(error), next: "" } : null;
}

/** @param {string | null} text */
function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

/**
 * @returns {{element: HTMLElement, update: (train: Train) => void}}
 */
function createTrouble() {
  const title = h("strong");
  const text = h("span", { class: "lrw-trouble-text" });
  const next = h("span");
  const element = h(
    "div",
    { class: "lrw-trouble", role: "alert", hidden: true },
    title,
    text,
    next,
  );
  return {
    element,
    update(train) {
      const trouble = troubleOf(train);
      element.hidden = trouble === null;
      setText(title, trouble?.title ?? "");
      setText(text, trouble?.text ?? "");
      setText(next, trouble?.next ?? "");
    },
  };
}
