/**
 * What a move would make of the rest of the curve: asked for while the pointer or the focus is on
 * its control, and shown before it is taken.
 */

import { evaluate } from "../schedule/model.js";
import { isDisabled } from "../shared/controls.js";
import { listen } from "../shared/dom.js";
import { formatRate, formatSteps } from "../shared/format.js";
import { onAbort } from "../shared/listeners.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */
/** @typedef {{command: string, [field: string]: unknown}} Move */

/**
 * @typedef {object} Shown
 * @property {string} label
 * @property {ScheduleNode} plan
 * @property {number} total
 * @property {number} step From here on it differs.
 */

/**
 * @typedef {object} Preview
 * @property {(control: HTMLElement, label: string | (() => string), move: () => Move | null) => void}
 *   attach Shows what `move` would do while the control is pointed at, focused or typed in; null
 *   is a move that cannot be shown now.
 * @property {() => Shown | null} shown
 * @property {() => void} clear
 */

// Long enough that a pointer on its way elsewhere asks for nothing.
const AFTER_MS = 90;

/**
 * @param {object} options
 * @param {import("../shared/protocol.js").Client} options.client
 * @param {() => Train} options.train
 * @param {() => void} options.onChange
 * @param {AbortSignal} options.signal
 * @returns {Preview}
 */
export function createPreview({ client, train, onChange, signal }) {
  /** @type {Shown | null} */
  let shown = null;
  /** The newest wish: answers to older ones come too late. */
  let wish = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function clear() {
    wish += 1;
    clearTimeout(timer);
    if (shown !== null) {
      shown = null;
      onChange();
    }
  }

  /**
   * @param {string} label
   * @param {Move} move
   */
  async function ask(label, move) {
    wish += 1;
    const own = wish;
    try {
      const answer = await client.request("train.preview", move);
      if (own === wish && !signal.aborted) {
        const fits = answer?.plan && answer.address === train().address;
        shown = fits ? { label, ...answer } : null;
        onChange();
      }
    } catch {
      // What would be refused has nothing to show; the control itself says why when it is pressed.
      if (own === wish) {
        clear();
      }
    }
  }

  onAbort(signal, () => clearTimeout(timer));

  return {
    attach(control, label, move) {
      const on = () => {
        clearTimeout(timer);
        const off = !train().able.includes("preview");
        const wanted = off || isDisabled(control) ? null : move();
        if (wanted === null) {
          clear();
          return;
        }
        timer = setTimeout(
          () => ask(typeof label === "string" ? label : label(), wanted),
          AFTER_MS,
        );
      };
      const off = () => {
        // What has the focus is shown still when the pointer goes.
        if (!control.matches(":focus-within:has(:focus-visible), :focus-visible")) {
          clear();
        }
      };
      listen(
        control,
        {
          pointerenter: on,
          focusin: on,
          input: on,
          pointerleave: off,
          focusout: clear,
          // Taken: what comes next is what there is.
          click: clear,
        },
        signal,
      );
    },
    shown: () => shown,
    clear,
  };
}

/**
 * A preview in words: "×½ from step 813: 0.05 → 0.025".
 *
 * @param {Shown} shown
 * @param {Pick<Train, "plan" | "total" | "held">} train
 * @returns {string}
 */
export function previewText({ label, plan, total, step }, train) {
  const said = [];
  const before = train.held ?? (train.plan ? evaluate(train.plan, step) : null);
  const after = evaluate(plan, step);
  if (before !== null && formatRate(before) !== formatRate(after)) {
    said.push(`${formatRate(before)} → ${formatRate(after)}`);
  }
  if (total !== train.total) {
    said.push(`${formatSteps(train.total)} → ${formatSteps(total)} steps`);
  }
  const what = said.length > 0 ? `: ${said.join(", ")}` : "";
  return `${label} from step ${formatSteps(step)}${what}`;
}
