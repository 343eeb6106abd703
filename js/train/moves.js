/**
 * Quick moves on what is left of the run.
 */

import { peak } from "../schedule/model.js";
import { button, createNote, numberField, setDisabled } from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";
import { hasRun, isOver } from "./transport.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const FACTORS = [
  { factor: 0.5, label: "×½" },
  { factor: 0.8, label: "×0.8" },
  { factor: 1.25, label: "×1.25" },
  { factor: 2, label: "×2" },
];

/**
 * A tenth of the run, rounded to a number that looks chosen.
 *
 * @param {number} total
 * @returns {number}
 */
export function usualStretch(total) {
  const tenth = Math.max(1, total / 10);
  const size = 10 ** Math.floor(Math.log10(tenth));
  return Math.max(1, Math.round(tenth / size) * size);
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, reachable: boolean) => void}}
 */
export function createMoves({ send, train, signal }) {
  const note = createNote();
  const stretch = usualStretch(train().total);

  /**
   * @param {string} kind
   * @param {object} fields
   * @param {string} waiting
   * @param {HTMLButtonElement} control
   */
  const move = (kind, fields, waiting, control) => {
    if (control.getAttribute("aria-disabled") !== "true") {
      return send(kind, fields, { waiting, note, control });
    }
  };

  const factors = FACTORS.map(({ factor, label }) => {
    /** @type {HTMLButtonElement} */
    const element = button({
      label,
      name: `${label}: multiply what is left of the learning rate by ${factor}`,
      hook: `quick-${factor}`,
      signal,
      onClick: () => move("train.scale", { factor }, `applying ${label}…`, element),
    });
    return element;
  });

  /** @param {string} text */
  function parseSteps(text) {
    const { steps_per_epoch: stepsPerEpoch, total } = train();
    const parsed = parseNumber(text, { stepsPerEpoch, total });
    if (parsed.value === undefined) {
      return parsed;
    }
    const whole = Math.round(parsed.value);
    return whole >= 1 ? { value: whole } : { error: "at least 1 step" };
  }

  /** @param {string} text */
  function parseRate(text) {
    const { plan } = train();
    const parsed = parseNumber(text, { peak: plan && peak(plan) });
    return parsed.value !== undefined && parsed.value < 0
      ? { error: "a learning rate must be ≥ 0" }
      : parsed;
  }

  const hold = button({
    label: "Hold at",
    hook: "rate-hold",
    title: "Train with this learning rate until it is released",
    signal,
    onClick: holdRate,
  });
  const rate = numberField({
    label: "learning rate to hold",
    hideLabel: true,
    value: null,
    parse: parseRate,
    format: formatRate,
    hook: "rate-field",
    title: "A number, or 0.1*peak or 5%: Enter holds it",
    signal,
    commitOnBlur: false,
    onCommit: holdRate,
  });
  const release = button({
    label: "Release",
    hook: "rate-release",
    title: "Go back to the curve",
    signal,
    onClick: () => move("train.release", {}, "releasing…", release),
  });

  async function holdRate() {
    const value = rate.read();
    if (value !== null) {
      await move("train.set", { value }, `holding ${formatRate(value)}…`, hold);
    }
  }

  /**
   * A field for a number of steps and the button that uses it.
   *
   * @param {string} label
   * @param {"cooldown" | "extend"} name
   * @param {string} title
   * @param {string} waiting
   */
  function stretchMove(label, name, title, waiting) {
    const apply = button({
      label,
      hook: `quick-${name}`,
      title,
      signal,
      onClick: () => go(),
    });
    const field = numberField({
      label: `${label}: number of steps`,
      hideLabel: true,
      unit: "steps",
      value: stretch,
      parse: parseSteps,
      format: formatSteps,
      hook: `field-${name}`,
      title: "Steps, or 10% of the run, or 2ep",
      signal,
      commitOnBlur: false,
      onCommit: () => go(),
    });
    field.input.classList.add("lrw-input-short");
    async function go() {
      const steps = field.read();
      if (steps !== null) {
        await move(`train.${name}`, { steps }, waiting, apply);
      }
    }
    return { apply, field };
  }
  const cooldown = stretchMove(
    "Cool down from here",
    "cooldown",
    "The learning rate goes straight to zero over these steps, and the run ends there",
    "cooling down…",
  );
  const extend = stretchMove(
    "Extend by",
    "extend",
    "Makes the run longer; the learning rate keeps its last value",
    "extending…",
  );
  const buttons = [...factors, hold, release, cooldown.apply, extend.apply];
  const fields = [rate, cooldown.field, extend.field];

  return {
    element: h(
      "div",
      { class: "lrw-moves" },
      h(
        "div",
        { class: "lrw-row" },
        h(
          "span",
          { class: "lrw-move", role: "group", "aria-label": "Multiply the learning rate" },
          ...factors,
        ),
        h("span", { class: "lrw-move" }, hold, rate.element, release),
        h("span", { class: "lrw-move" }, cooldown.apply, cooldown.field.element),
        h("span", { class: "lrw-move" }, extend.apply, extend.field.element),
      ),
      note.element,
    ),
    update(current, reachable) {
      const { state, held, learning_rate: now } = current;
      const idle = isOver(state) || state === "finding" || !hasRun(current);
      const why = !reachable
        ? "The kernel is gone"
        : state === "finding"
          ? "A range test is running"
          : isOver(state)
            ? "This run is over"
            : "Press Start first; until then the curve is edited in Design";
      for (const element of buttons) {
        if (element.getAttribute("aria-busy") === null) {
          setDisabled(element, idle || !reachable, why);
        }
      }
      for (const field of fields) {
        field.setDisabled(idle || !reachable);
      }
      // Its place is kept: a row that reflows would move what stands below.
      release.style.visibility = held === null ? "hidden" : "visible";
      rate.input.placeholder = now === null ? "" : formatRate(now);
    },
  };
}
