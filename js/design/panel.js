/**
 * The Design panel: the curve, its segments and their numbers, the code that it becomes.
 */

import { appendSegment, partsOf, peak, refused, removeSegment, steps } from "../schedule/model.js";
import { createNote } from "../shared/controls.js";
import { h, setText } from "../shared/dom.js";
import { onAbort } from "../shared/listeners.js";
import { plotTitle } from "../shared/plot.js";
import { createScheduleCanvas } from "./canvas.js";
import { createChain } from "./chain.js";
import { createCodePane } from "./code.js";
import { createCommits, LEARNING_RATE } from "./commits.js";
import { createExport } from "./export.js";
import { createGallery } from "./gallery.js";
import { createInspector } from "./inspector.js";
import { createNotice } from "./notice.js";
import { createStrip } from "./strip.js";
import { createToolbar } from "./toolbar.js";
import { createTracks, rangedCatalogue } from "./tracks.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */
/** @typedef {import("./axes.js").XUnit} XUnit */

/**
 * What the panel uses of a view's context.
 *
 * @typedef {object} Context
 * @property {Pick<import("../shared/protocol.js").Client, "request">} client
 * @property {import("../schedule/model.js").Catalogue
 *   & {links?: import("./chain_palette.js").LinkDeclaration[]}} catalogue
 * @property {import("../shared/store.js").Store<Record<string, any>>} store
 * @property {(text: string) => void} announce
 * @property {AbortSignal} signal
 * @property {(name: string) => any} use
 * @property {(trait: string, fn: () => void) => void} on
 */

const HINT = "Drag to bend · double-click adds a knot · Delete removes it";
const NODE_HINT = "Its numbers are in the inspector · More ▾ expands it into segments";
/** Milliseconds for which the old curve stays visible after Python has brought a new one. */
const GHOST_MS = 2500;

/**
 * @param {Context} context
 * @returns {{element: HTMLElement}}
 */
export function createDesignPanel(context) {
  const { client, store, announce, use, on, signal } = context;
  const design = () => use("_design");
  const stepsPerEpoch = () => design().steps_per_epoch ?? null;
  let selected = Math.max(0, store.get().designSegment ?? partsOf(design().schedule).length - 1);
  let busy = 0;
  let ghostTimer = 0;
  /** @type {import("./toolbar.js").Tool} */
  let tool = "select";

  const commits = createCommits({
    design: design(),
    active: store.get().designTrack,
    send: (state) => request("design.set", state),
    show: showNode,
  });
  const tracks = createTracks({
    design,
    commits,
    activate(name) {
      canvas.editing.finish();
      commits.activate(name);
    },
    change: changeTrack,
    signal,
  });
  const catalogue = rangedCatalogue(context.catalogue, tracks.range);

  const note = createNote();
  const { tell, attempt, ...notice } = createNotice(announce, signal);
  const canvas = createScheduleCanvas({
    catalogue,
    getNode: commits.node,
    onPreview: (node) => showParts(node),
    async onCommit(node) {
      fail(await commit(node));
    },
    tracks: () =>
      Object.entries(commits.all())
        .filter(([name]) => name !== commits.active())
        .map(([name, node]) => ({ name, node, label: tracks.label(name) })),
    tool: () => tool,
    onTool: setTool,
    xUnit,
    yScale,
    stepsPerEpoch,
    get label() {
      return tracks.label();
    },
    gutter: { left: 56, right: 40 },
    hook: "design-canvas",
    onSelect: select,
    onOpenField(index, parameter) {
      select(index);
      inspector.focus(parameter);
    },
    onRefused: fail,
    announce,
    signal,
  });
  const inspector = createInspector({ catalogue, stepsPerEpoch, edit, signal });
  const strip = createStrip({
    editing: canvas.editing,
    stepsPerPixel: canvas.stepsPerPixel,
    select,
    async append() {
      const refusal = await edit(appendSegment, () => select(partsOf(commits.node()).length - 1));
      fail(refusal);
    },
    remove: async (index) => fail(await edit((node) => removeSegment(catalogue, node, index))),
    signal,
  });
  const toolbar = createToolbar({
    catalogue,
    node: commits.node,
    stepsPerEpoch,
    undo: () => walk(commits.undo, "undone"),
    redo: () => walk(commits.redo, "done again"),
    edit,
    tool: () => tool,
    setTool,
    fit: () => canvas.fit(),
    begin: [tracks.element, createGallery({ presets: catalogue.presets, choose, signal })],
    end: createExport({
      request,
      track,
      copy: (text, what) => code.copy(text, what),
      attempt,
      signal,
    }),
    xUnit,
    setXUnit: (designX) => store.set({ designX }),
    yScale,
    setYScale: (designY) => store.set({ designY }),
    signal,
  });
  const code = createCodePane({
    isOpen: () => store.get().designCode !== false,
    setOpen: (designCode) => store.set({ designCode }),
    announce,
    signal,
  });
  const chain = createChain({
    design,
    links: context.catalogue.links ?? [],
    state: commits.state,
    change(next, words) {
      canvas.editing.finish();
      notice.clear();
      if (words) {
        announce(words);
      }
      return commits.commitAll(next);
    },
    bend: (name, value) => changeTrack(name, value),
    show(name) {
      canvas.editing.finish();
      commits.activate(name);
    },
    announce,
    signal,
  });
  const saved = h("p", { class: "lrw-note", hook: "saved" });
  // The file for `path=` could not be read: said here, and nothing was lost.
  const warned = h("p", {
    class: "lrw-error lrw-unread",
    role: "alert",
    hook: "warning",
  });
  const yTitle = plotTitle();
  const element = h(
    "div",
    { class: "lrw-design", signal, on: { keydown: onKey } },
    toolbar.element,
    h(
      "div",
      { class: "lrw-design-main" },
      h(
        "div",
        { class: "lrw-design-curve" },
        h("div", { class: "lrw-curve-head" }, yTitle, notice.element),
        canvas.element,
        strip.element,
        note.element,
      ),
      inspector.element,
    ),
    warned,
    chain.element,
    saved,
    code.element,
  );

  /** @returns {XUnit} */
  function xUnit() {
    const wanted = store.get().designX;
    return wanted === "percent" || (wanted === "epochs" && stepsPerEpoch()) ? wanted : "steps";
  }

  /** @returns {"log" | "linear"} */
  function yScale() {
    return store.get().designY === "log" ? "log" : "linear";
  }

  /**
   * @param {ScheduleNode} node
   * @param {import("./commits.js").Tracks} [others]
   */
  function commit(node, others) {
    notice.clear();
    return commits.commit(node, undefined, others);
  }

  /**
   * An edit from a control: shown at once, then sent.
   *
   * @param {(node: ScheduleNode) => ScheduleNode | Refusal} move
   * @param {() => void} [then] after it is shown
   * @param {boolean} [together] whether tracks of the same length make the same move
   * @returns {Promise<string | null>} the reason if it was refused here or by Python
   */
  async function edit(move, then, together = false) {
    canvas.editing.finish();
    const node = commits.node();
    const result = move(node);
    if (refused(result)) {
      return result.error;
    }
    /** @type {Record<string, ScheduleNode>} */
    const others = {};
    for (const [name, other] of Object.entries(together ? commits.all() : {})) {
      const moved = steps(other) === steps(node) ? move(other) : other;
      others[name] = refused(moved) ? other : moved;
    }
    const answer = commit(result, others);
    then?.();
    return answer;
  }

  /**
   * A step that is no edit of the active curve: an edit that is going on comes first.
   *
   * @param {() => Promise<string | null>} step
   * @param {string} words what it does
   * @returns {Promise<string | null>} the reason if it was refused
   */
  async function walk(step, words) {
    canvas.editing.finish();
    const before = commits.active();
    const answer = step();
    const label = tracks.label();
    tell(commits.active() === before || words.includes(label) ? words : `${words}: ${label}`);
    const refusal = await answer;
    if (refusal) {
      tell(refusal, true);
    }
    return refusal;
  }

  /**
   * @param {string} kind
   * @param {object} fields
   */
  async function request(kind, fields) {
    let late = false;
    const onBusy = () => {
      late = true;
      showBusy(1);
    };
    try {
      return await client.request(kind, fields, { onBusy });
    } finally {
      if (late) {
        showBusy(-1);
      }
    }
  }

  /** The track to which a command refers; without one it is the learning rate. */
  function track() {
    const name = commits.active();
    return name === LEARNING_RATE ? {} : { track: name };
  }

  /** @param {import("./gallery.js").Preset} preset */
  function choose({ name, title }) {
    canvas.editing.finish();
    const node = commits.node();
    const [height, length] = [peak(node), steps(node)];
    attempt(async () => {
      await request("schedule.preset", {
        name,
        ...(height > 0 && { peak_value: height }),
        ...(length !== null && { steps: length }),
        ...track(),
      });
      return title;
    });
  }

  /** @param {import("./toolbar.js").Tool} next */
  function setTool(next) {
    tool = next;
    canvas.update();
    showParts(commits.node());
  }

  /** @param {string | null} rule */
  function fail(rule) {
    if (rule === null) {
      const { node } = partsOf(commits.node())[selected] ?? {};
      const hint = node === "segment" || node === "slice" ? HINT : NODE_HINT;
      note.say(busy ? "the kernel is busy: the edit is sent when the running cell ends" : hint);
    } else {
      note.fail(rule);
    }
  }

  /** @param {-1 | 1} more how many requests more than before are late */
  function showBusy(more) {
    busy += more;
    if (!signal.aborted) {
      fail(null);
    }
  }

  /** @param {number} index */
  function select(index) {
    if (index !== selected) {
      selected = index;
      store.set({ designSegment: index });
      fail(null);
      canvas.select(selected);
      showParts(commits.node());
    }
  }

  /**
   * @param {ScheduleNode} node
   * @param {"here" | "python"} from
   */
  function showNode(node, from) {
    if (signal.aborted) {
      return;
    }
    const active = commits.active();
    const other = drawn.track !== active;
    if (from === "python" || other) {
      // Another track is no older form of this one.
      canvas.setGhost(other ? null : drawn.node);
      clearTimeout(ghostTimer);
      ghostTimer = setTimeout(() => canvas.setGhost(null), GHOST_MS);
    }
    drawn = { node, track: active };
    store.set({ designTrack: active });
    showTitle();
    fail(null);
    canvas.setNode(node);
    canvas.select(Math.min(selected, partsOf(node).length - 1));
    showParts(node);
    chain.update();
    showCode();
  }

  /**
   * @param {string} name
   * @param {number | null} value with which the track begins; null removes it
   */
  function changeTrack(name, value) {
    const node = value === null ? null : constant(value, steps(commits.all()[LEARNING_RATE]));
    const words = `${tracks.label(name)} ${node ? "added" : "removed"}`;
    return walk(() => commits.commit(node, name), words);
  }

  /** @param {ScheduleNode} node */
  function showParts(node) {
    selected = Math.min(selected, partsOf(node).length - 1);
    strip.update(node, selected);
    inspector.update(node, selected, commits.active());
    tracks.update();
    toolbar.update({ node, canUndo: commits.canUndo(), canRedo: commits.canRedo() });
  }

  function showCode() {
    const shown = use("_code");
    code.update(shown, commits.pending() || shown.seq !== design().seq);
  }

  function showDesign() {
    commits.adopt(design());
    const { saved: file, warning } = design();
    setText(warned, warning ?? "");
    warned.hidden = !warning;
    saved.hidden = !file || Boolean(warning);
    setText(saved, `saved in ${file}`);
    chain.update();
    showParts(commits.node());
    showCode();
  }

  function showTitle() {
    setText(yTitle, `${tracks.label()}${yScale() === "log" ? " (log)" : ""}`);
  }

  function showView() {
    commits.activate(store.get().designTrack);
    showTitle();
    code.showOpen();
    canvas.update();
    showParts(commits.node());
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const typing = event.target instanceof HTMLInputElement && event.target.type === "text";
    const key = event.key.toLowerCase();
    if (typing || !(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (key === "y" || event.shiftKey) {
      walk(commits.redo, "done again");
    } else {
      walk(commits.undo, "undone");
    }
  }

  let drawn = { node: commits.node(), track: commits.active() };
  on("_design", () => !signal.aborted && showDesign());
  on("_code", () => !signal.aborted && showCode());
  store.subscribe(showView, signal);
  onAbort(signal, () => clearTimeout(ghostTimer));
  selected = Math.min(selected, partsOf(drawn.node).length - 1);
  canvas.select(selected);
  fail(null);
  showDesign();
  showView();
  return { element };
}

/**
 * @param {number} value
 * @param {number | null} length
 * @returns {ScheduleNode}
 */
function constant(value, length) {
  return { node: "segment", shape: "constant", steps: length, parameters: { value } };
}
