/**
 * What was done to the run and what is planned, the newest first, and the run as a script.
 */

import { button, createNote } from "../shared/controls.js";
import { h, setText } from "../shared/dom.js";
import { formatDuration, formatSteps } from "../shared/format.js";
import { createScript } from "./script.js";
import { createTable } from "./table.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../shared/traits.js").JournalState} JournalState */

/** @type {Record<string, string>} */
const SOURCES = { widget: "hand" };

/**
 * @param {JournalState} entry
 * @returns {string[]} a text for each column
 */
export function journalCells({ step, seconds, text, from = "", to = "", source = "" }) {
  return [
    formatSteps(step),
    formatDuration(seconds),
    text,
    from && to ? `${from} → ${to}` : from || to,
    SOURCES[source] ?? source,
  ];
}

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
  const body = h("tbody");
  const scroll = h(
    "div",
    { class: "lrw-journal-scroll", tabindex: "0", role: "region", "aria-label": "Journal" },
    createTable(["step#", "time#", "what", "from → to", "by"], body, "journal"),
  );
  const nothing = h(
    "p",
    { class: "lrw-note" },
    "Every change to the run will stand here, with its step.",
  );
  const script = createScript({ send, note, announce, signal });
  /** Rows that are kept from one update to the next, by what they say. */
  /** @type {Map<string, HTMLElement>} */
  let rows = new Map();
  let shown = "";

  /** @param {JournalState} entry */
  function makeRow(entry) {
    return h(
      "tr",
      { class: entry.undone ? "lrw-undone" : undefined },
      ...journalCells(entry).map((text, i) =>
        h(
          "td",
          { class: i < 2 ? "lrw-number" : undefined },
          text,
          i === 2 && entry.undone && h("span", { class: "lrw-hidden" }, " (undone)"),
        ),
      ),
    );
  }

  /** @param {Train["scheduled"][number]} planned */
  function makePlanned({ number, step, text }) {
    const cancel = button({
      label: "Cancel",
      name: `Cancel ${text} at step ${step}`,
      hook: `scheduled-cancel-${number}`,
      kind: "quiet",
      signal,
      onClick: () =>
        send("train.cancel", { number }, { waiting: "cancelling…", note, control: cancel }),
    });
    return h(
      "tr",
      { class: "lrw-planned" },
      h("td", { class: "lrw-number" }, formatSteps(step)),
      h("td", { class: "lrw-number" }, "planned"),
      h("td", null, text),
      h("td"),
      h("td", null, cancel),
    );
  }

  return {
    element: h(
      "div",
      { class: "lrw-journal-block" },
      h("details", { hook: "journal" }, h("summary", null, title), nothing, scroll),
      h("div", { class: "lrw-row lrw-journal-script" }, script.controls, note.element),
      script.text,
    ),
    update(train, reachable) {
      script.update(train, reachable);
      const { journal, scheduled, run } = train;
      const undone = journal.reduce((sum, entry, i) => sum + (entry.undone ? i + 1 : 0), 0);
      const key = JSON.stringify([run, journal.length, journal.at(-1), undone, scheduled]);
      if (key === shown) {
        return;
      }
      shown = key;
      const count = journal.length + scheduled.length;
      setText(title, count === 0 ? "Journal" : `Journal (${count})`);
      nothing.hidden = count > 0;
      scroll.hidden = count === 0;
      const before = rows;
      rows = new Map();
      const add = (/** @type {string} */ name, /** @type {() => HTMLElement} */ make) => {
        // Two entries may say the same.
        const own = rows.has(name) ? `${name} ${rows.size}` : name;
        rows.set(own, before.get(own) ?? make());
      };
      for (const planned of scheduled.toReversed()) {
        add(`planned ${JSON.stringify(planned)}`, () => makePlanned(planned));
      }
      for (const entry of journal.toReversed()) {
        add(JSON.stringify(entry), () => makeRow(entry));
      }
      body.replaceChildren(...rows.values());
    },
  };
}
