/**
 * One view of a model: the root element, the tabs and the status chip, and the context that
 * the panels work with.
 */

import { createDesignPanel } from "../design/panel.js";
import { createFindPanel } from "../find/panel.js";
import { liveRegion } from "../shared/controls.js";
import { h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { onAbort } from "../shared/listeners.js";
import { statusOf } from "../shared/status.js";
import { createTheme } from "../shared/theme.js";
import { readFind, readTrain } from "../shared/traits.js";
import { createTrainPanel } from "../train/panel.js";
import { keepKeys } from "./keys.js";
import { createTabs } from "./tabs.js";

/**
 * What a panel gets.
 *
 * @typedef {object} Context
 * @property {import("../shared/protocol.js").Model} model
 * @property {import("../shared/protocol.js").Client} client
 * @property {any} catalogue Shapes, presets and rules, as Python declares them.
 * @property {import("../shared/store.js").Store<Record<string, any>>} store View state, kept
 *   over a reload; every view of the model shares it.
 * @property {import("../find/data.js").SweepData} sweep
 * @property {import("../train/data.js").RunData} run
 * @property {import("../shared/theme.js").Theme} theme
 * @property {(text: string) => void} announce One sentence for screen readers.
 * @property {AbortSignal} signal Aborts when the view goes.
 * @property {(name: string) => any} use The value of a trait now.
 * @property {(trait: string, fn: () => void) => void} on Calls `fn` when the trait changes,
 *   until the view goes.
 * @property {(tab: string) => void} show Brings a panel to the front.
 */

/** @type {Record<string, {title: string, create: (context: Context) => {element: HTMLElement}}>} */
const PANELS = {
  find: { title: "Find", create: createFindPanel },
  design: { title: "Design", create: createDesignPanel },
  train: { title: "Train", create: createTrainPanel },
};

/** What is worth a sentence when the run gets there. @type {Record<string, string>} */
const SPOKEN = {
  running: "training",
  paused: "training paused",
  finished: "training finished",
  stopped: "training stopped",
  diverged: "training diverged",
  failed: "training failed",
};

/**
 * @param {import("./hub.js").Hub} hub
 * @param {HTMLElement} host
 * @param {AbortSignal} signal
 */
export function createView(hub, host, signal) {
  const { model, client, store } = hub;
  const root = h("div", {
    class: "lrw-root",
    signal,
    on: { pointerenter: client.probe, focusin: client.probe },
  });
  keepKeys(root, signal);
  // In the page before anything is measured.
  host.append(root);
  const live = liveRegion();
  const theme = createTheme(root, signal);
  /** @type {Context["on"]} */
  const on = (trait, fn) => {
    const heard = () => fn();
    model.on(`change:${trait}`, heard);
    onAbort(signal, () => model.off(`change:${trait}`, heard));
  };
  /** @type {Context} */
  const context = {
    model,
    client,
    catalogue: model.get("_catalogue"),
    store,
    sweep: hub.sweep,
    run: hub.run,
    theme,
    announce: live.announce,
    signal,
    use: (name) => model.get(name),
    on,
    show: (tab) => tabs.show(tab),
  };

  /** @type {string[]} */
  const names = (model.get("_panels") ?? []).filter((/** @type {string} */ name) => PANELS[name]);
  const tabs = createTabs({
    label: "Panels",
    chosen: store.get().tab,
    signal,
    onChange: (tab) => store.set({ tab }),
    tabs: names.map((name) => ({
      name,
      title: PANELS[name].title,
      build: () => buildPanel(name, context),
    })),
  });
  root.append(createHeader(context, tabs.list), tabs.panels, live.element);

  // The host marks the view when the comm is closed; its own mark is set before or just after.
  const checkConnection = () =>
    setTimeout(() => client.setGone(root.closest(".jupyter-widgets-disconnected") !== null));
  model.on("comm_live_update", checkConnection);
  checkConnection();
  onAbort(signal, () => {
    model.off("comm_live_update", checkConnection);
    root.remove();
  });
}

/**
 * A panel that cannot be built says so in its place and leaves the others alone.
 *
 * @param {string} name
 * @param {Context} context
 * @returns {HTMLElement}
 */
function buildPanel(name, context) {
  try {
    return PANELS[name].create(context).element;
  } catch (error) {
    console.error(error);
    const reason = error instanceof Error ? error.message : String(error);
    return h(
      "p",
      { class: "lrw-error", role: "alert" },
      `This panel could not be shown (${reason}). Run the cell again; if that does not help, please report it.`,
    );
  }
}

/**
 * Tabs at the left, the status at the right. One panel alone has no header as long as the kernel is
 * there: for a kernel that answers late nothing may move under the hand, and the panel says it.
 *
 * @param {Context} context
 * @param {HTMLElement} list
 * @returns {HTMLElement}
 */
function createHeader({ client, use, on, announce, signal }, list) {
  const text = h("span");
  const chip = h(
    "span",
    { class: "lrw-chip", hook: "status" },
    h("span", { class: "lrw-dot", ...UNSEEN }),
    text,
  );
  const header = h("div", { class: "lrw-header" }, list, h("span", { class: "lrw-spacer" }), chip);
  let spoken = use("_train")?.state;
  let noticed = use("_train")?.notice;

  function show() {
    const train = readTrain(use("_train"));
    const status = statusOf(client.state(), readFind(use("_find")), train);
    setText(text, status.text);
    setAttribute(chip, "title", status.text);
    chip.dataset.tone = status.tone;
    header.hidden = list.hidden && status.tone !== "error";
    if (train.notice && train.notice !== noticed) {
      announce(train.notice);
    }
    noticed = train.notice;
    if (train.state !== spoken) {
      spoken = train.state;
      if (SPOKEN[spoken]) {
        announce(`${SPOKEN[spoken]} at step ${train.step} of ${train.total}`);
      }
    }
  }

  client.onState(show, signal);
  on("_train", show);
  on("_find", show);
  show();
  return header;
}
