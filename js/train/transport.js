/**
 * Start, pause, resume, step, stop, restart, and the pace.
 */

import {
  button,
  createNote,
  numberField,
  select,
  setDisabled,
  setLabel,
} from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatSteps, parseNumber } from "../shared/format.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
  step: "M2.5 2.5v11l7-5.5zM10.5 2.5h3v11h-3z",
  stop: "M3 3h10v10H3z",
  restart: "M8 3a5 5 0 1 0 5 5h-2a3 3 0 1 1-3-3v2.5L12 4 8 .5z",
};

const PACES = [null, 200, 50, 10];

/**
 * What the one button that starts and pauses does in a state.
 *
 * @param {Train["state"]} state
 * @returns {{kind: "train.start" | "train.pause" | "train.resume", label: string,
 *   icon: "play" | "pause", waiting: string, possible: boolean}}
 */
export function mainAction(state) {
  if (state === "running" || state === "compiling") {
    return {
      kind: "train.pause",
      label: "Pause",
      icon: "pause",
      waiting: "pausing…",
      possible: true,
    };
  }
  if (state === "paused") {
    return {
      kind: "train.resume",
      label: "Resume",
      icon: "play",
      waiting: "resuming…",
      possible: true,
    };
  }
  const possible = state === "idle";
  return { kind: "train.start", label: "Start", icon: "play", waiting: "starting…", possible };
}

/** @param {Train["state"]} state */
export function isOver(state) {
  return ["finished", "stopped", "diverged", "failed"].includes(state);
}

/**
 * Whether there is a run to steer: the first begins with Start.
 *
 * @param {Pick<Train, "state" | "run">} train
 */
export function hasRun({ state, run }) {
  return state !== "idle" || run > 0;
}

/** @param {number | null} pace */
const paceLabel = (pace) => (pace === null ? "max" : `${formatSteps(pace)} steps/s`);

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, toggle: () => void,
 *   update: (train: Train, reachable: boolean) => void}}
 */
export function createTransport({ send, train, signal }) {
  const note = createNote();
  /** The transport command that waits for its answer. @type {string | null} */
  let pending = null;
  let reachable = true;

  const main = button({
    label: "Start",
    icon: ICONS.play,
    kind: "primary",
    hook: "train-start",
    title: "Space does the same",
    signal,
    onClick: toggle,
  });
  main.classList.add("lrw-main-button");
  const step = button({
    label: "Step",
    icon: ICONS.step,
    hook: "train-step",
    signal,
    onClick: takeSteps,
  });
  const count = numberField({
    label: "steps to take",
    hideLabel: true,
    value: 1,
    parse: parseCount,
    format: formatSteps,
    hook: "field-step-count",
    title: "How many steps Step takes; 2ep is two epochs",
    signal,
    commitOnBlur: false,
    onCommit: takeSteps,
  });
  count.input.classList.add("lrw-input-short");
  const stop = button({
    label: "Stop",
    icon: ICONS.stop,
    hook: "train-stop",
    signal,
    onClick: () => command("train.stop", {}, "stopping…"),
  });
  const restart = button({
    label: "Restart",
    icon: ICONS.restart,
    hook: "train-restart",
    title: "Train again from the start; this run stays in the plots",
    signal,
    onClick: () => command("train.restart", {}, "restarting…"),
  });
  const pace = select({
    label: "pace",
    choices: PACES.map(choice),
    value: "",
    hook: "train-pace",
    signal,
    onChange: (value) =>
      send(
        "train.pace",
        { steps_per_second: value === "" ? null : Number(value) },
        { waiting: "changing the pace…", note, control: pace.select },
      ).then(() => showPace(train())),
  });
  pace.select.title = "Slows the run down so that a hand can steer it; the numbers stay the same";

  /** @param {number | null} value */
  function choice(value) {
    return { value: value === null ? "" : String(value), label: paceLabel(value) };
  }

  /** @param {string} text */
  function parseCount(text) {
    const parsed = parseNumber(text, {
      stepsPerEpoch: train().steps_per_epoch,
      total: train().total,
    });
    if (parsed.value === undefined) {
      return parsed;
    }
    const whole = Math.round(parsed.value);
    return whole >= 1 ? { value: whole } : { error: "at least 1 step" };
  }

  /**
   * @param {string} kind
   * @param {object} fields
   * @param {string} waiting
   */
  async function command(kind, fields, waiting) {
    if (pending !== null || !reachable) {
      return;
    }
    pending = kind;
    update(train(), reachable);
    await send(kind, fields, { waiting, note });
    pending = null;
    if (!signal.aborted) {
      update(train(), reachable);
    }
  }

  function toggle() {
    const action = mainAction(train().state);
    if (action.possible) {
      command(action.kind, {}, action.waiting);
    }
  }

  function takeSteps() {
    const steps = count.read();
    if (steps !== null && step.getAttribute("aria-disabled") !== "true") {
      command("train.step", { steps }, "stepping…");
    }
  }

  /** @param {Train} now */
  function showPace(now) {
    const paces = PACES.includes(now.pace) ? PACES : [...PACES, now.pace];
    pace.setChoices(paces.map(choice));
    pace.set(now.pace === null ? "" : String(now.pace));
  }

  /**
   * @param {Train} now
   * @param {boolean} canReach
   */
  function update(now, canReach) {
    reachable = canReach;
    const { state } = now;
    const action = mainAction(state);
    const over = isOver(state);
    const waiting = pending !== null;
    const why = !reachable
      ? "The kernel is gone"
      : waiting
        ? "Waiting for the kernel"
        : state === "finding"
          ? "A range test is running"
          : over
            ? "This run is over: Restart begins again from the start"
            : "Not while it trains: pause first";
    const pendingLabel = {
      "train.start": "Starting…",
      "train.pause": "Pausing…",
      "train.resume": "Resuming…",
    }[pending ?? ""];
    setLabel(main, pendingLabel ?? action.label, ICONS[action.icon]);
    main.dataset.lrw = action.kind.replace(".", "-");
    setDisabled(main, waiting || !reachable || !action.possible, why);
    main.classList.toggle("lrw-button-primary", !over);
    restart.classList.toggle("lrw-button-primary", over);

    const canStep = state === "idle" || state === "paused";
    setDisabled(step, waiting || !reachable || !canStep, why);
    const canStop = state === "running" || state === "compiling" || state === "paused";
    setDisabled(stop, waiting || !reachable || !canStop, canStop ? why : "Nothing is running");
    const canRestart = state !== "idle" && state !== "finding";
    setDisabled(
      restart,
      waiting || !reachable || !canRestart,
      canRestart ? why : "Nothing to restart yet",
    );
    pace.select.disabled = !reachable || over;
    if (pace.select.getAttribute("aria-busy") === null) {
      showPace(now);
    }
  }

  return {
    element: h(
      "div",
      { class: "lrw-transport" },
      h(
        "div",
        { class: "lrw-row" },
        main,
        h("span", { class: "lrw-joined" }, step, count.element),
        stop,
        restart,
        h("span", { class: "lrw-spacer" }),
        pace.element,
      ),
      note.element,
    ),
    toggle,
    update,
  };
}
