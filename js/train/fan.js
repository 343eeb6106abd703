/**
 * A look ahead: several rates are tried for some steps from here, and one of them is taken.
 */

import {
  button,
  createNote,
  isDisabled,
  orderField,
  setLabel,
  textField,
  uniqueId,
} from "../shared/controls.js";
import { clear, h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { formatLoss, formatSteps, formatTick } from "../shared/format.js";
import { createPlot } from "../shared/plot.js";
import { parseCandidates, USUAL } from "./fan_rates.js";
import { gate, isWaiting, whyFixed, whyOff } from "./gates.js";
import { paintBranches, paintNames } from "./loss_marks.js";
import { metricRange } from "./range.js";
import { parseWhole, usualStretch } from "./step_field.js";
import { createTable } from "./table.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../shared/traits.js").FanState} FanState */

/**
 * @param {FanState | null} fan
 * @returns {string | null} the id of the line of its best
 */
export function bestLine(fan) {
  return typeof fan?.best === "number" ? `c${fan.best}` : null;
}

/**
 * @param {FanState} fan
 * @returns {string}
 */
export function fanText({ state, step, steps, done, candidates, error }) {
  const where = `from step ${formatSteps(step)}`;
  const count = `${candidates.length} rates`;
  const part = `${Math.floor(done * 100)} % of ${formatSteps(steps)} steps`;
  switch (state) {
    case "running":
      return `Trying ${count} ${where}: ${part}`;
    case "stopped":
      return `Stopped after ${part} ${where}`;
    case "failed":
      return `The fan failed: ${error ?? "no reason is known"}`;
    default:
      return `${count} tried for ${formatSteps(steps)} steps ${where}. Take one, and the run goes on with it.`;
  }
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {(slot: number) => Element} options.swatch
 * @param {import("./branches.js").BranchData} options.branches
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {AbortSignal} options.signal
 * @returns {{toggle: HTMLElement, element: HTMLElement,
 *   update: (train: Train, reachable: boolean) => void}}
 */
export function createFan({ send, train, swatch, branches, theme, signal }) {
  const id = uniqueId();
  const note = createNote();
  let open = false;

  const toggle = button({
    label: "Try 4 rates from here",
    hook: "fan-open",
    title: "Trains shortly with several rates and lets one be taken",
    signal,
    onClick() {
      open = !open;
      show();
      if (open) {
        rates.input.focus();
      }
    },
  });
  setAttribute(toggle, "aria-controls", id);
  const rates = textField({
    label: "rates",
    parse: /** @type {any} */ (
      (/** @type {string} */ text) => {
        const read = parseCandidates(text);
        return "error" in read ? read : { value: text };
      }
    ),
    hook: "field-fan-rates",
    title: "Factors (×½ ×2) or rates (1e-3 3e-3), with spaces between",
    signal,
    commitOnBlur: false,
    onCommit: begin,
  });
  rates.reset(/** @type {any} */ (USUAL));
  const steps = orderField({
    label: "for",
    row: true,
    unit: "steps each",
    value: usualStretch(train().total / 2),
    parse: (text) => parseWhole(text, train()),
    format: formatSteps,
    hook: "field-fan-steps",
    title: "Steps, or 5% of the run, or 1ep",
    signal,
    onCommit: begin,
  });
  rates.element.classList.add("lrw-field-row");
  const start = button({
    label: "Try them",
    hook: "fan-start",
    kind: "primary",
    title: "The run pauses meanwhile",
    signal,
    onClick: begin,
  });
  const form = h("div", { class: "lrw-row" }, rates.element, steps.element, start);

  const said = h("span", { class: "lrw-fan-text", role: "status" });
  const drop = button({
    label: "Stop",
    hook: "fan-drop",
    signal,
    onClick: () => send("train.fan_drop", {}, { waiting: "stopping…", note, control: drop }),
  });
  const fill = h("div", { class: "lrw-progress-fill" });
  const rows = h("tbody");
  /** @type {import("./branches.js").BranchLine[]} */
  let lines = [];
  // In the plot of the whole run they are a few pixels long.
  const plot = createPlot({
    name: "Loss of each rate that is tried",
    height: 152,
    xKind: "steps",
    formatY: formatTick,
    series: [],
    theme,
    signal,
    paint(painter) {
      paintBranches(painter, lines, bestLine(train().fan));
      paintNames(painter, lines);
    },
  });
  const result = h(
    "div",
    { class: "lrw-fan-result" },
    h("div", { class: "lrw-row lrw-fan-head" }, said, drop),
    h("div", { class: "lrw-progress", ...UNSEEN }, fill),
    h(
      "div",
      { class: "lrw-row" },
      createTable(["rate", "loss at the end#", "take"], rows, "fan"),
      h("div", { class: "lrw-fan-plot" }, plot.element),
    ),
  );
  const element = h(
    "div",
    { class: "lrw-fan", id, role: "group", "aria-label": "Look ahead", hidden: true },
    form,
    result,
    note.element,
  );
  /** @type {{row: HTMLElement, loss: HTMLElement, best: HTMLElement, take: HTMLButtonElement}[]} */
  let candidates = [];
  let made = "";

  async function begin() {
    const text = rates.read();
    const length = steps.read();
    if (text === null || length === null || isDisabled(start) || isWaiting(start)) {
      return;
    }
    const wanted = parseCandidates(String(text));
    await send(
      "train.fan",
      { ...wanted, steps: length },
      { waiting: "pausing, then trying…", note, control: start },
    );
  }

  /** @param {FanState["candidates"]} all */
  function makeRows(all) {
    const key = JSON.stringify(all.map(({ label }) => label));
    if (key === made) {
      return;
    }
    made = key;
    candidates = all.map(({ label }, index) => {
      const loss = h("span");
      const best = h("span", { class: "lrw-tag" }, "best");
      const take = button({
        label: "Take",
        name: `Take ${label}`,
        hook: `fan-take-${index}`,
        title: "The run goes on from here with this rate",
        signal,
        onClick: () =>
          isWaiting(take) ||
          send("train.fan_take", { index }, { waiting: `taking ${label}…`, note, control: take }),
      });
      const row = h(
        "tr",
        null,
        h("th", { scope: "row" }, swatch(index), label, best),
        h("td", { class: "lrw-number" }, loss),
        h("td", null, take),
      );
      return { row, loss, best, take };
    });
    clear(rows).append(...candidates.map(({ row }) => row));
  }

  function show() {
    const { fan, able } = train();
    const shown = able.includes("fan") && (fan !== null || open);
    element.hidden = !shown;
    form.hidden = fan !== null;
    result.hidden = fan === null;
    setAttribute(toggle, "aria-expanded", String(shown));
  }

  return {
    toggle,
    element,
    update(now, reachable) {
      const { fan, able } = now;
      const why = whyFixed(now, reachable);
      toggle.hidden = !able.includes("fan");
      gate(toggle, fan ? "It is shown below" : open ? null : why);
      gate(start, why);
      if (fan !== null) {
        // Once it has been taken or dropped, the form is folded away.
        open = false;
        makeRows(fan.candidates);
        setText(said, fanText(fan));
        said.classList.toggle("lrw-error", fan.state === "failed");
        lines = branches
          .smoothed("loss", Math.max(2, fan.steps / 20), { x: [], y: [] })
          .filter(({ kind }) => kind === "fan");
        const sound = lines.filter((_, i) => !fan.candidates[i]?.diverged);
        plot.setData({
          columns: [[]],
          // With room for the names.
          x: [fan.step, fan.step + Math.max(1, fan.steps * 1.15)],
          y: metricRange(
            sound.map(({ y }) => y),
            false,
          ),
        });
        fill.style.transform = `scaleX(${fan.done})`;
        setLabel(drop, fan.state === "running" ? "Stop" : "Close");
        const off = whyOff(now, reachable);
        const early = fan.state === "running" ? "They are still being tried" : off;
        for (const [i, { row, loss, best, take }] of candidates.entries()) {
          const candidate = fan.candidates[i];
          setText(loss, candidate.diverged ? "diverged" : formatLoss(candidate.loss));
          row.classList.toggle("lrw-best", fan.best === i);
          // Its room is kept: the columns must not move when the best is known.
          best.style.visibility = fan.best === i ? "visible" : "hidden";
          take.classList.toggle("lrw-button-primary", fan.best === i);
          gate(take, early ?? (candidate.diverged ? "This one diverged" : null));
        }
      }
      show();
    },
  };
}
