/**
 * Start, pause, resume, step, stop, restart, and the pace.
 */

import { button, createNote, select, setDisabled, setLabel } from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatSteps, sentence } from "../shared/format.js";
import { pendingText } from "../shared/status.js";
import { isOver, isWaiting, whyOff } from "./gates.js";
import { stepField } from "./step_field.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
  step: "M2.5 2.5v11l7-5.5zM10.5 2.5h3v11h-3z",
  stop: "M3 3h10v10H3z",
  restart: "M8 3a5 5 0 1 0 5 5h-2a3 3 0 1 1-3-3v2.5L12 4 8 .5z",
};

const PACES = [null, 200, 50, 10];

/** What the one button that starts and pauses can send. */
const MAIN = ["train.start", "train.pause", "train.resume"];

/**
 * What the one button that starts and pauses does in a state.
 *
 * @param {Train["state"]} state
 * @returns {{kind: "train.start" | "train.pause" | "train.resume", label: string,
 *   icon: "play" | "pause", possible: boolean}}
 */
export function mainAction(state) {
  if (state === "running" || state === "compiling") {
    return { kind: "train.pause", label: "Pause", icon: "pause", possible: true };
  }
  if (state === "paused") {
    return { kind: "train.resume", label: "Resume", icon: "play", possible: true };
  }
  return { kind: "train.start", label: "Start", icon: "play", possible: state === "idle" };
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
  /** The transport command that waits for its answer. @type {{kind: string} | null} */
  let pending = null;
  let reachable = true;

  const main = button({
    label: "Start",
    icon: ICONS.play,
    kind: "primary",
    hook: "train-start",
    single: true,
    title: "Space does the same",
    signal,
    onClick: toggle,
  });
  main.classList.add("lrw-main-button");
  const steps = stepField({
    label: "Step",
    icon: ICONS.step,
    hook: "train-step",
    field: "field-step-count",
    value: 1,
    train,
    signal,
    onApply: (count) => command("train.step", { steps: count }),
  });
  const stop = button({
    label: "Stop",
    icon: ICONS.stop,
    hook: "train-stop",
    signal,
    onClick: () => command("train.stop"),
  });
  const restart = button({
    label: "Restart",
    icon: ICONS.restart,
    hook: "train-restart",
    title: "Train again from the start; this run stays in the plots",
    signal,
    onClick: () => command("train.restart"),
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
      ).then(() => isWaiting(pace.select) || showPace(train())),
  });
  pace.select.title = "Slows the run down so that a hand can steer it; the numbers stay the same";

  /** @param {number | null} value */
  function choice(value) {
    return { value: value === null ? "" : String(value), label: paceLabel(value) };
  }

  /**
   * @param {string} kind
   * @param {object} [fields]
   */
  async function command(kind, fields = {}) {
    if (awaited(train()) !== null || !reachable) {
      return;
    }
    const own = { kind };
    pending = own;
    update(train(), reachable);
    await send(kind, fields, { waiting: pendingText([kind]) ?? "", note });
    pending = pending === own ? null : pending;
    if (!signal.aborted) {
      update(train(), reachable);
    }
  }

  /**
   * What is waited for: nothing more once the run itself shows what was wanted, even if the answer
   * comes later.
   *
   * @param {Train} now
   * @returns {string | null}
   */
  function awaited({ state }) {
    if (pending && MAIN.includes(pending.kind) && mainAction(state).kind !== pending.kind) {
      pending = null;
    }
    return pending?.kind ?? null;
  }

  function toggle() {
    const action = mainAction(train().state);
    if (action.possible && train().off === null) {
      command(action.kind);
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
    const wanted = awaited(now);
    const waiting = wanted !== null;
    const off = whyOff(now, reachable);
    const blocked = waiting || !reachable || now.off !== null;
    const why =
      (waiting && reachable ? "Waiting for the kernel" : off) ??
      (over
        ? "This run is over: Restart begins again from the start"
        : "Not while it trains: pause first");
    // The others have buttons of their own.
    const said = wanted !== null && MAIN.includes(wanted) && pendingText([wanted]);
    setLabel(main, said ? sentence(said) : action.label, ICONS[action.icon]);
    main.dataset.lrw = action.kind.replace(".", "-");
    setDisabled(main, blocked || !action.possible, why);
    main.classList.toggle("lrw-button-primary", !over && now.off === null);
    // What can be saved by going back is not begun again without a thought.
    const lost = ["diverged", "failed"].includes(state) && now.able.includes("rewind");
    restart.classList.toggle("lrw-button-primary", over && !lost && now.off === null);

    const canStep = state === "idle" || state === "paused";
    setDisabled(steps.apply, blocked || !canStep, why);
    const canStop = state === "running" || state === "compiling" || state === "paused";
    setDisabled(stop, blocked || !canStop, canStop ? why : (off ?? "Nothing is running"));
    const canRestart = state !== "idle" && state !== "finding";
    setDisabled(
      restart,
      blocked || !canRestart,
      canRestart ? why : (off ?? "Nothing to restart yet"),
    );
    pace.select.disabled = !reachable || now.off !== null || over;
    if (!isWaiting(pace.select)) {
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
        steps.element,
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
