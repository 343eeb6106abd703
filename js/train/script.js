/**
 * The run as plain code: readable, or with every rate as it was.
 */

import { copyText } from "../shared/clipboard.js";
import { button, segmentedControl, setDisabled } from "../shared/controls.js";
import { h } from "../shared/dom.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const COPIED_MS = 4000;

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {import("./commands.js").Note} options.note
 * @param {(text: string) => void} options.announce
 * @param {AbortSignal} options.signal
 */
export function createScript({ send, note, announce, signal }) {
  const text = h("pre", {
    class: "lrw-script",
    tabindex: "0",
    hidden: true,
    "aria-label": "Training script",
  });
  let exact = false;
  const form = segmentedControl({
    label: "form of the script",
    choices: [
      { value: "readable", label: "readable", title: "The curves as formulas, edit by edit" },
      {
        value: "exact",
        label: "exact",
        title: "The rates as stored rows: the same numbers, bit for bit",
      },
    ],
    value: "readable",
    hook: "script",
    signal,
    onChange: (value) => {
      exact = value === "exact";
    },
  });
  const copy = button({
    label: "Copy script",
    hook: "script-copy",
    title: "This run as plain code, with every change that was made",
    signal,
    onClick: copyScript,
  });

  async function copyScript() {
    const answer = await send("train.script", exact ? { exact } : {}, {
      waiting: "writing the script…",
      note,
      control: copy,
    });
    if (answer === null || signal.aborted) {
      return;
    }
    text.textContent = String(answer.value);
    // Selecting needs a visible element; it is hidden again where the clipboard took the text.
    text.hidden = false;
    const result = await copyText(text.textContent, text);
    text.hidden = result === "copied";
    const said =
      result === "copied"
        ? "Copied: the run as a script."
        : "The clipboard is barred here: the script is selected below, press Ctrl+C.";
    note.say(said);
    announce(said);
    setTimeout(() => {
      if (!signal.aborted && note.element.textContent === said && result === "copied") {
        note.say("");
      }
    }, COPIED_MS);
  }

  return {
    controls: h("span", { class: "lrw-move" }, form.element, copy),
    text,
    /**
     * @param {Train} now
     * @param {boolean} reachable
     */
    update({ able, off }, reachable) {
      form.element.hidden = !able.includes("exact");
      setDisabled(copy, !reachable || off !== null, off ?? "The kernel is gone");
    },
  };
}
