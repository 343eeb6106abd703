/**
 * The time line between the plots: what is kept of the past, where forks left, and what is planned.
 * A click on the past, or on a dot, opens what can be done there.
 */

import { clear, h, setAttribute, setText, svg, UNSEEN } from "../shared/dom.js";
import { formatSteps } from "../shared/format.js";
import { GUTTER } from "../shared/scale.js";
import { lookOf } from "./branches.js";
import { createMoment, reasonText } from "./moment.js";
import { placeDots } from "./timeline_dots.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/** Marks by reason, about the middle of a box of 16 by 16; dots where there is none. */
/** @type {Record<string, string>} */
const MARKS = {
  best: "M8 1.6l1.9 4.1 4.5.5-3.3 3 .9 4.4L8 11.4l-4 2.2.9-4.4-3.3-3 4.5-.5z",
  guard: "M8 2.4L13.6 8 8 13.6 2.4 8z",
  hand: "M3.8 3.8h8.4v8.4H3.8z",
};
const DOT = "M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z";

/**
 * What a snapshot is above all: one that was the best is so no more once there is a better one.
 *
 * @param {import("../shared/traits.js").SnapshotState} snapshot
 * @param {Pick<Train, "best">} train
 */
function markOf({ step, reason }, { best }) {
  return best?.step === step ? "best" : reason === "best" ? "interval" : reason;
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {(text: string) => void} options.announce
 * @param {(id: string) => number} options.slotOf
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement,
 *   update: (train: Train, extent: number, reachable: boolean) => void}}
 */
export function createTimeline({ send, train, cross, announce, slotOf, signal }) {
  const moment = createMoment({ send, train, announce, signal });
  const name = h("span", { class: "lrw-timeline-name", ...UNSEEN });
  const past = h("div", { class: "lrw-timeline-past", ...UNSEEN });
  const marks = h("div", { class: "lrw-timeline-marks", ...UNSEEN });
  const dots = h("div", {
    class: "lrw-timeline-dots",
    role: "toolbar",
    "aria-label": "Snapshots of the run. Each opens rewind and fork.",
  });
  const area = h(
    "div",
    {
      class: "lrw-timeline-area",
      style: `margin-inline: ${GUTTER.left}px ${GUTTER.right}px`,
    },
    past,
    marks,
    dots,
  );
  const element = h(
    "div",
    { class: "lrw-timeline", hook: "timeline", signal, on: { click: onClick } },
    name,
    area,
    moment.element,
  );
  cross.over(element);

  /** @type {Map<number, HTMLButtonElement>} */
  const buttons = new Map();
  /** The dot that Tab leads to. @type {number | null} */
  let stop = null;
  let extent = 1;
  let drawn = "";
  /** The parts of a status are the same objects until the next one. */
  let marked = "";

  /** @param {MouseEvent} event */
  function onClick(event) {
    const { left, width } = area.getBoundingClientRect();
    const dot = /** @type {Element} */ (event.target).closest("button");
    if (moment.element.contains(/** @type {Node} */ (event.target)) || width === 0) {
      return;
    }
    if (dot) {
      const step = Number(dot.dataset.step);
      stop = step;
      moment.open(step, dot);
      return;
    }
    const step = Math.round(((event.clientX - left) / width) * extent);
    const { step: now, able } = train();
    if (step >= 0 && step <= now && able.includes("rewind")) {
      moment.open(step, area, event.clientX - 12);
    }
  }

  dots.addEventListener(
    "keydown",
    (event) => {
      const steps = [...buttons.keys()];
      const from = steps.indexOf(Number(/** @type {HTMLElement} */ (event.target).dataset.step));
      const last = steps.length - 1;
      const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
      if (from >= 0 && to !== undefined) {
        event.preventDefault();
        stop = steps[Math.max(0, Math.min(last, to))];
        showStop();
        buttons.get(stop)?.focus();
      }
    },
    { signal },
  );

  function showStop() {
    if (stop === null || !buttons.has(stop)) {
      // The newest one is the likeliest to be wanted.
      stop = [...buttons.keys()].at(-1) ?? null;
    }
    for (const [step, dot] of buttons) {
      setAttribute(dot, "tabindex", step === stop ? 0 : -1);
    }
  }

  /** @param {number} step */
  const share = (step) => `${((100 * step) / extent).toFixed(3)}%`;

  /** @param {Train} now */
  function drawDots(now) {
    const active = /** @type {Document | ShadowRoot} */ (dots.getRootNode()).activeElement;
    const focused = dots.contains(active) ? stop : null;
    const placed = placeDots(
      now.snapshots.map((each) => ({ ...each, reason: markOf(each, now) })),
      extent,
      dots.clientWidth,
      focused,
    );
    for (const [step, dot] of [...buttons]) {
      if (!placed.some((snapshot) => snapshot.step === step)) {
        dot.remove();
        buttons.delete(step);
      }
    }
    const before = new Map(buttons);
    buttons.clear();
    for (const snapshot of placed) {
      const { step, reason } = snapshot;
      const path = MARKS[reason] ?? DOT;
      const dot = before.get(step) ?? makeDot(step);
      const text = `step ${formatSteps(step)}: ${reasonText(snapshot, now)}`;
      setAttribute(dot, "aria-label", `snapshot at ${text}`);
      setAttribute(dot, "title", text);
      setAttribute(dot, "data-reason", reason);
      dot.style.left = share(step);
      setAttribute(/** @type {Element} */ (dot.querySelector("path")), "d", path);
      buttons.set(step, dot);
    }
    // Their order in the page is that on the line, without taking the focus from any.
    for (const [index, dot] of [...buttons.values()].entries()) {
      if (dots.children[index] !== dot) {
        dots.insertBefore(dot, dots.children[index] ?? null);
      }
    }
    showStop();
  }

  /** @param {number} step */
  function makeDot(step) {
    return h(
      "button",
      {
        type: "button",
        class: "lrw-snapshot",
        hook: `snapshot-${step}`,
        "data-step": step,
        "aria-haspopup": "dialog",
      },
      svg("svg", { viewBox: "0 0 16 16", ...UNSEEN }, svg("path")),
    );
  }

  /** @param {Train} now */
  function drawMarks({ forks, scheduled }) {
    clear(marks).append(
      ...forks.map(({ id, name, step }) =>
        h("div", {
          class: `lrw-timeline-fork ${lookOf(slotOf(id)).name}`,
          style: `left: ${share(step)}`,
          title: `${name} left at step ${formatSteps(step)}`,
        }),
      ),
      ...scheduled.map(({ step, text }) =>
        h("div", {
          class: "lrw-timeline-planned",
          style: `left: ${share(step)}`,
          title: `planned at step ${formatSteps(step)}: ${text}`,
        }),
      ),
    );
  }

  return {
    element,
    update(now, end, reachable) {
      extent = end;
      element.hidden = now.snapshots.length === 0 && !now.able.includes("rewind");
      const still = !now.able.includes("rewind");
      element.classList.toggle("lrw-timeline-still", still);
      setText(name, still ? "kept" : "rewind");
      past.style.width = share(Math.min(now.step, end));
      const width = dots.clientWidth;
      const key = JSON.stringify([width, end, now.best, now.snapshots]);
      if (key !== drawn && width > 0) {
        drawn = key;
        drawDots(now);
      }
      const planned = JSON.stringify([
        end,
        now.scheduled,
        now.forks.map(({ id, name, step }) => [id, name, step]),
      ]);
      if (planned !== marked) {
        marked = planned;
        drawMarks(now);
      }
      moment.update(now, reachable);
    },
  };
}
