/**
 * How far the run is, how fast it goes and how long it will take.
 */

import { h, setAttribute, setText } from "../shared/dom.js";
import { formatDuration, formatSteps } from "../shared/format.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * Seconds until the end at the present speed; null while nothing moves.
 *
 * @param {Pick<Train, "state" | "step" | "total" | "seconds_left" | "steps_per_second">} train
 * @returns {number | null}
 */
export function timeLeft({ state, step, total, seconds_left, steps_per_second }) {
  if (state !== "running") {
    return null;
  }
  if (seconds_left !== null) {
    return seconds_left;
  }
  return steps_per_second ? Math.max(0, total - step) / steps_per_second : null;
}

/**
 * @param {number} speed steps per second
 * @returns {string} with two figures at least, without jumping between forms
 */
export function formatSpeed(speed) {
  return speed < 9.95 ? speed.toFixed(1) : formatSteps(speed);
}

/**
 * @returns {{element: HTMLElement, update: (train: Train) => void}}
 */
export function createProgress() {
  const fill = h("div", { class: "lrw-progress-fill" });
  const bar = h(
    "div",
    {
      class: "lrw-progress",
      role: "progressbar",
      "aria-label": "Training progress",
      "aria-valuemin": "0",
      hook: "progress",
    },
    fill,
  );
  const steps = h("span", { class: "lrw-strong" });
  const epochs = h("span");
  const speed = h("span");
  const left = h("span");
  const kept = h("span", { class: "lrw-kept" });

  return {
    element: h(
      "div",
      { class: "lrw-progress-block" },
      bar,
      h("div", { class: "lrw-progress-text" }, steps, epochs, speed, left, kept),
    ),
    update(train) {
      const { step, total, steps_per_epoch: perEpoch, steps_per_second: rate, state } = train;
      const share = total > 0 ? Math.min(1, step / total) : 0;
      fill.style.transform = `scaleX(${share})`;
      const left_ = timeLeft(train);
      setAttribute(bar, "aria-valuemax", total);
      setAttribute(bar, "aria-valuenow", Math.min(step, total));
      setAttribute(bar, "aria-valuetext", `step ${step} of ${total}`);
      setText(steps, `step ${formatSteps(step)} / ${formatSteps(total)}`);
      setText(
        epochs,
        perEpoch ? `epoch ${(step / perEpoch).toFixed(1)} / ${(total / perEpoch).toFixed(1)}` : "",
      );
      setText(speed, rate !== null && state === "running" ? `${formatSpeed(rate)} steps/s` : "");
      setText(left, left_ === null ? "" : `${formatDuration(left_)} left`);
      const text = keptText(train);
      setText(kept, text);
      setAttribute(kept, "title", text);
    },
  };
}

/**
 * Where the run is kept, where it went on from, and what happens when it diverges.
 *
 * @param {Pick<Train, "guard" | "directory" | "origin">} train
 * @returns {string}
 */
export function keptText({ guard, directory, origin }) {
  return [
    guard && `if it diverges: ${guard}`,
    origin !== null && `resumed at ${formatSteps(origin)}`,
    directory && `kept in ${directory}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
