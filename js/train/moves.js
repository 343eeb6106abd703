/**
 * Quick moves on what is left of the run.
 */

import { peak } from "../schedule/model.js";
import { button, createNote, isDisabled, orderField } from "../shared/controls.js";
import { h, setAttribute } from "../shared/dom.js";
import { formatRate, parseNumber } from "../shared/format.js";
import { createFan } from "./fan.js";
import { gate, whyFixed } from "./gates.js";
import { createMoreMoves } from "./more_moves.js";
import { previewText } from "./preview.js";
import { stepField, usualStretch } from "./step_field.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * What carries out a move: `fields` gets the step for which it is planned.
 *
 * @typedef {(kind: string, fields: object, waiting: string, control: HTMLElement) =>
 *   Promise<{value: any} | null>} Move
 */

const FACTORS = [
  { factor: 0.5, label: "×½" },
  { factor: 0.8, label: "×0.8" },
  { factor: 1.25, label: "×1.25" },
  { factor: 2, label: "×2" },
];

/**
 * A move over a number of steps. `name` is that of the command.
 *
 * @typedef {(label: string, name: string, title: string, value?: number) =>
 *   ReturnType<typeof stepField>} StretchMove
 */

/**
 * A number for the hyperparameter that is watched.
 *
 * @param {string} text
 * @param {Pick<Train, "plan" | "address" | "addresses">} train
 */
export function parseValue(text, { plan, address, addresses }) {
  const parsed = parseNumber(text, { peak: plan && peak(plan) });
  if (parsed.value === undefined) {
    return parsed;
  }
  const { low = 0, high = null } = addresses.find((each) => each.address === address) ?? {};
  if (low !== null && parsed.value < low) {
    return { error: `must be ≥ ${formatRate(low)}` };
  }
  return high !== null && parsed.value > high ? { error: `must be ≤ ${formatRate(high)}` } : parsed;
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {import("./preview.js").Preview} options.preview
 * @param {import("../shared/store.js").Store<Record<string, any>>} options.store
 * @param {(slot: number) => Element} options.swatch
 * @param {import("./branches.js").BranchData} options.branches
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, undo: () => void,
 *   update: (train: Train, reachable: boolean) => void}}
 */
export function createMoves({ send, train, preview, store, swatch, branches, theme, signal }) {
  const note = createNote();
  const stretch = usualStretch(train().total);

  /** @type {Move} */
  const move = async (kind, fields, waiting, control) => {
    const at = more.at();
    if (isDisabled(control) || at === null) {
      return null;
    }
    // One planned move must not make the next a planned one too, not even before its answer.
    const putBack = more.takeAt();
    const answer = await send(kind, { ...fields, ...at }, { waiting, note, control });
    if (answer === null) {
      putBack();
    }
    return answer;
  };
  /**
   * @param {string} command
   * @param {object | null} fields null where what is typed is no number
   */
  const wanted = (command, fields) => fields && { command, ...fields, ...more.atWanted() };

  const factors = FACTORS.map(({ factor, label }) => {
    /** @type {HTMLButtonElement} */
    const element = button({
      label,
      name: `${label}: multiply what is left of the curve by ${factor}`,
      hook: `quick-${factor}`,
      signal,
      onClick: () => move("train.scale", { factor }, `applying ${label}…`, element),
    });
    preview.attach(element, label, () => wanted("scale", { factor }));
    return element;
  });

  const hold = button({
    label: "Hold at",
    hook: "rate-hold",
    title: "Train with this value until it is released",
    signal,
    onClick: holdRate,
  });
  const rate = orderField({
    label: "value to hold",
    value: null,
    parse: (text) => parseValue(text, train()),
    format: formatRate,
    hook: "rate-field",
    title: "A number, or 0.1*peak or 5%: Enter holds it",
    signal,
    onCommit: holdRate,
  });
  const release = button({
    label: "Release",
    hook: "rate-release",
    title: "Go back to the curve",
    signal,
    onClick: () => move("train.release", {}, "releasing…", release),
  });
  const held = h("span", { class: "lrw-move" }, hold, rate.element, release);
  const typed = () => {
    const { value } = parseValue(rate.input.value, train());
    return wanted("set", value === undefined ? null : { value });
  };
  preview.attach(hold, () => `hold at ${rate.input.value}`, typed);
  preview.attach(rate.input, () => `hold at ${rate.input.value}`, typed);
  preview.attach(release, "release", () => wanted("release", {}));

  async function holdRate() {
    const value = rate.read();
    if (value !== null) {
      const text = rate.input.value;
      const answer = await move("train.set", { value }, `holding ${formatRate(value)}…`, hold);
      if (answer !== null && rate.input.value === text) {
        // What is in force stands above; here it would be an order for the next time.
        rate.reset(null);
      }
    }
  }

  /** @type {StretchMove} */
  const stretchMove = (label, name, title, value = stretch) => {
    const made = stepField({
      label,
      hook: `quick-${name}`,
      field: `field-${name}`,
      unit: "steps",
      title,
      value,
      train,
      signal,
      onApply: (steps, apply) => move(`train.${name}`, { steps }, `${label.toLowerCase()}…`, apply),
    });
    preview.attach(made.element, label.replace(" from here", "").toLowerCase(), () =>
      wanted(name, made.wanted()),
    );
    return made;
  };
  const cooldown = stretchMove(
    "Cool down from here",
    "cooldown",
    "The learning rate goes straight to zero over these steps, and the run ends there",
  );
  const extend = stretchMove(
    "Extend by",
    "extend",
    "Makes the run longer; the learning rate keeps its last value",
  );
  const undo = button({
    label: "Undo",
    hook: "undo",
    signal,
    onClick: () => send("train.undo", {}, { waiting: "undoing…", note, control: undo }),
  });
  preview.attach(undo, "undo", () => ({ command: "undo" }));
  const more = createMoreMoves({
    ...{ move, wanted, stretchMove, send, note, train, preview, store, signal },
  });
  const fan = createFan({ send, train, swatch, branches, theme, signal });

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
          { class: "lrw-move", role: "group", "aria-label": "Multiply what is left of the curve" },
          ...factors,
        ),
        undo,
        held,
        more.toggle,
        cooldown.element,
        extend.element,
        fan.toggle,
      ),
      note.element,
      more.element,
      fan.element,
    ),
    undo() {
      if (!isDisabled(undo) && !undo.hidden) {
        undo.click();
      }
    },
    update(current, reachable) {
      const { held: value, learning_rate: now, able, undo: last } = current;
      const why = whyFixed(current, reachable);
      for (const element of buttons) {
        gate(element, why);
      }
      for (const field of fields) {
        field.setDisabled(why !== null);
      }
      // Its place is kept: a row that reflows would move what stands below.
      release.style.visibility = value === null ? "hidden" : "visible";
      rate.input.placeholder = now === null ? "" : formatRate(now);
      undo.hidden = !able.includes("undo");
      gate(undo, why ?? (last === null ? "Nothing to undo" : null));
      if (why === null && last !== null) {
        setAttribute(undo, "title", `Undo ${last} (Ctrl+Z)`);
      }
      more.update(current, reachable);
      fan.update(current, reachable);
      const shown = preview.shown();
      note.setRest(shown ? previewText(shown, current) : more.restText());
    },
  };
}
