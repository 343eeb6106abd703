/**
 * The rarer moves, folded away: nudge, restart the warmup, plan for a later step, batch size,
 * frozen groups, a snapshot by hand.
 */

import { button, disclosure, orderField, quietLabel, uniqueId } from "../shared/controls.js";
import { clear, h, setAttribute, setText } from "../shared/dom.js";
import { formatRate, formatSteps, parseNumber } from "../shared/format.js";
import { gate, whyBound, whyFixed } from "./gates.js";
import { parseWhole, usualStretch } from "./step_field.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * The step for which a move is planned; none where nothing is written.
 *
 * @param {string} text
 * @param {Pick<Train, "step" | "total" | "steps_per_epoch">} train
 * @returns {{value?: number | null, error?: string}}
 */
export function parseAt(text, train) {
  if (text.trim() === "") {
    return { value: null };
  }
  return parseWhole(text, train, train.step + 1, train.total - 1);
}

/**
 * @param {object} options
 * @param {import("./moves.js").Move} options.move
 * @param {(command: string, fields: object | null) => import("./preview.js").Move | null}
 *   options.wanted
 * @param {import("./moves.js").StretchMove} options.stretchMove
 * @param {import("./commands.js").Send} options.send
 * @param {import("./commands.js").Note} options.note
 * @param {() => Train} options.train
 * @param {import("./preview.js").Preview} options.preview
 * @param {import("../shared/store.js").Store<Record<string, any>>} options.store
 * @param {AbortSignal} options.signal
 */
export function createMoreMoves(options) {
  const { move, wanted, stretchMove, send, note, train, preview, store, signal } = options;
  const id = uniqueId();

  const nudge = button({
    label: "Nudge by",
    hook: "quick-nudge",
    title: "Adds this to the value in force; the rest of the curve changes by the same factor",
    signal,
    onClick: nudgeBy,
  });
  const amount = orderField({
    label: "amount to add",
    value: null,
    placeholder: "±1e-3",
    parse: (text) => parseNumber(text, {}),
    format: formatRate,
    hook: "field-nudge",
    signal,
    onCommit: nudgeBy,
  });
  const nudged = h("span", { class: "lrw-move" }, nudge, amount.element);
  preview.attach(
    nudged,
    () => `nudge by ${amount.input.value}`,
    () => {
      const { value } = parseNumber(amount.input.value, {});
      return wanted("nudge", value === undefined ? null : { amount: value });
    },
  );

  async function nudgeBy() {
    const value = amount.read();
    if (value !== null) {
      await move("train.nudge", { amount: value }, "nudging…", nudge);
    }
  }

  const warmup = stretchMove(
    "Warm up again",
    "warmup",
    "The learning rate climbs from zero back to the curve over these steps",
    usualStretch(train().total / 2),
  );

  const at = orderField({
    label: "at step",
    row: true,
    value: null,
    placeholder: "now",
    parse: /** @type {any} */ ((/** @type {string} */ text) => parseAt(text, train())),
    format: formatSteps,
    hook: "field-at",
    title: "The next move takes effect at this step; empty means now",
    signal,
    onCommit() {},
  });

  const batch = orderField({
    label: "batch size",
    row: true,
    value: null,
    parse(text) {
      const { value, error } = parseNumber(text, {});
      return value === undefined
        ? { error }
        : Number.isInteger(value) && value >= 1
          ? { value }
          : { error: "a whole number, at least 1" };
    },
    format: formatSteps,
    hook: "batch-field",
    signal,
    async onCommit(size) {
      await move("train.batch", { size }, "changing the batch size…", batch.input);
    },
  });
  const later = h("span", { class: "lrw-unit", role: "status" });
  batch.element.append(later);
  const groups = h("span", {
    class: "lrw-move lrw-freeze",
    role: "group",
    "aria-label": "Freeze groups of parameters",
  });
  const keep = button({
    label: "Keep a snapshot",
    hook: "snapshot-keep",
    title: "Keeps the whole state of this moment",
    signal,
    onClick: () => send("train.snapshot", {}, { waiting: "keeping…", note, control: keep }),
  });

  /** By what a run must be able to do. */
  /** @type {Record<string, HTMLElement>} */
  const parts = {
    nudge: nudged,
    warmup: warmup.element,
    at: at.element,
    batch: batch.element,
    freeze: groups,
    snapshot: keep,
  };
  const element = h(
    "div",
    { class: "lrw-more lrw-row", id, role: "group", "aria-label": "More moves", hidden: true },
    ...Object.values(parts),
  );
  const onClick = () => store.set({ moreMoves: element.hidden });
  const toggle = disclosure({ id, hook: "more", onClick, signal }, "More");
  /** @type {Map<string, HTMLButtonElement>} */
  const chips = new Map();

  /** What is folded away plans nothing. */
  const wantedAt = () =>
    parseAt(element.hidden || at.element.hidden ? "" : at.input.value, train());
  const planned = (/** @type {number | null | undefined} */ step) => (step ? { at: step } : {});

  /** @param {Train["groups"]} all */
  function showGroups(all) {
    if ([...chips.keys()].join("\n") === all.map(({ name }) => name).join("\n")) {
      return;
    }
    chips.clear();
    clear(groups).append(quietLabel("freeze"));
    for (const { name } of all) {
      const command = () => (chip.getAttribute("aria-pressed") === "true" ? "thaw" : "freeze");
      /** @type {HTMLButtonElement} */
      const chip = button({
        label: name,
        hook: `freeze-${name}`,
        signal,
        onClick: () => move(`train.${command()}`, { group: name }, `${command()} ${name}…`, chip),
      });
      chip.classList.add("lrw-toggle");
      preview.attach(
        chip,
        () => `${command()} ${name}`,
        () => wanted(command(), { group: name }),
      );
      chips.set(name, chip);
      groups.append(chip);
    }
  }

  return {
    toggle,
    element,
    /** @returns {{at?: number} | null} null where what is written is no step to come */
    at() {
      const { value, error = null } = wantedAt();
      at.setError(error);
      return error === null ? planned(value) : null;
    },
    /** @returns {{at?: number}} */
    atWanted: () => planned(wantedAt().value),
    /** @returns {() => void} writes the step again, unless another stands there by now */
    takeAt() {
      const text = at.input.value;
      at.reset(null);
      return () => {
        if (at.input.value === "") {
          at.input.value = text;
        }
      };
    },
    restText() {
      const { value } = wantedAt();
      return value ? `The next move is planned for step ${formatSteps(value)}.` : "";
    },
    /**
     * @param {Train} now
     * @param {boolean} reachable
     */
    update(now, reachable) {
      const { able } = now;
      const why = whyFixed(now, reachable);
      for (const [name, part] of Object.entries(parts)) {
        part.hidden = !able.includes(name);
      }
      groups.hidden ||= now.groups.length === 0;
      toggle.hidden = Object.values(parts).every((part) => part.hidden);
      element.hidden = toggle.hidden || store.get().moreMoves !== true;
      setAttribute(toggle, "aria-expanded", String(!element.hidden));
      for (const control of [nudge, warmup.apply, ...chips.values()]) {
        gate(control, why);
      }
      for (const field of [amount, warmup.field, at]) {
        field.setDisabled(why !== null);
      }
      const fixed = why ?? now.batch_fixed;
      batch.setDisabled(fixed !== null);
      batch.input.title = fixed ?? "Takes effect at the end of the epoch; Enter sets it";
      batch.set(now.batch_size);
      const next = now.batch_next;
      setText(
        later,
        next ? `${formatSteps(next.size)} from step ${formatSteps(next.step)} on` : "",
      );
      gate(keep, whyBound(now, reachable));
      showGroups(now.groups);
      for (const { name, frozen } of now.groups) {
        const chip = chips.get(name);
        if (chip) {
          setAttribute(chip, "aria-pressed", String(frozen));
        }
      }
    },
  };
}
