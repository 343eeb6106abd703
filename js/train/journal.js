/**
 * What was done to the run, and the run as a script.
 */

import { copyText } from "../shared/clipboard.js";
import { button, createNote, setDisabled } from "../shared/controls.js";
import { clear, h, setText } from "../shared/dom.js";
import { formatDuration, formatSteps } from "../shared/format.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

const COPIED_MS = 4000;

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {(text: string) => void} options.announce
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, reachable: boolean) => void}}
 */
export function createJournal({ send, announce, signal }) {
  const note = createNote();
  const title = h("span");
  const rows = h("tbody");
  const table = h(
    "table",
    { class: "lrw-journal-table" },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, "step"),
        h("th", { scope: "col" }, "time"),
        h("th", { scope: "col" }, "what"),
      ),
    ),
    rows,
  );
  const nothing = h(
    "p",
    { class: "lrw-note" },
    "Every change to the run will stand here, with its step.",
  );
  const script = h("pre", {
    class: "lrw-script",
    tabindex: "0",
    hidden: true,
    "aria-label": "Training script",
  });
  const copy = button({
    label: "Copy script",
    hook: "script-copy",
    title: "This run as plain code, with every change that was made",
    signal,
    onClick: copyScript,
  });
  let shown = "";

  async function copyScript() {
    const answer = await send(
      "train.script",
      {},
      { waiting: "writing the script…", note, control: copy },
    );
    if (answer === null || signal.aborted) {
      return;
    }
    const text = String(answer.value);
    script.textContent = text;
    // Selecting needs a visible element; it is hidden again where the clipboard took the text.
    script.hidden = false;
    const result = await copyText(text, script);
    script.hidden = result === "copied";
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
    element: h(
      "div",
      { class: "lrw-journal-block" },
      h(
        "div",
        { class: "lrw-journal-bar" },
        h(
          "details",
          { class: "lrw-journal", hook: "journal" },
          h("summary", null, title),
          nothing,
          table,
        ),
        note.element,
        copy,
      ),
      script,
    ),
    update({ journal, run }, reachable) {
      setDisabled(copy, !reachable, "The kernel is gone");
      const last = journal.at(-1);
      const key = `${run}/${journal.length}/${last?.step}/${last?.text}`;
      if (key === shown) {
        return;
      }
      shown = key;
      setText(title, journal.length === 0 ? "Journal" : `Journal (${journal.length})`);
      nothing.hidden = journal.length > 0;
      table.hidden = journal.length === 0;
      clear(rows).append(
        ...journal.map((entry) =>
          h(
            "tr",
            null,
            h("td", null, formatSteps(entry.step)),
            h("td", null, formatDuration(entry.seconds)),
            h("td", null, entry.text),
          ),
        ),
      );
    },
  };
}
