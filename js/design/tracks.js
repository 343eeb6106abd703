/**
 * The hyperparameters that are designed side by side: which of them is being edited, and which
 * others there could be.
 */

import { button, select, setDisabled, textField } from "../shared/controls.js";
import { h } from "../shared/dom.js";
import { formatRate } from "../shared/format.js";
import { menu } from "../shared/menu.js";
import { LEARNING_RATE } from "./commits.js";

/** @typedef {import("../schedule/model.js").Catalogue} Catalogue */
/**
 * @typedef {{low: number | null, high: number | null, low_open?: boolean, high_open?: boolean}}
 *   Range
 */
/** @typedef {{name: string, label: string} & Range} Track */
/** @typedef {Track & {value?: number}} Candidate a candidate has a value to begin with */

/** What a track of which nothing is known begins with. */
const FIRST_VALUE = 0.1;

/**
 * A catalogue in which values keep within the active track's range, so that no edit leaves it.
 *
 * @param {Catalogue} catalogue
 * @param {() => Range} range
 * @returns {Catalogue}
 */
export function rangedCatalogue(catalogue, range) {
  let bounds = JSON.stringify(Array(4).fill(null));
  let { shapes } = catalogue;
  return {
    ...catalogue,
    get shapes() {
      const { low, high, low_open, high_open } = range();
      const now = JSON.stringify([low, high, low_open, high_open]);
      if (bounds !== now) {
        bounds = now;
        shapes = catalogue.shapes.map((shape) => ({
          ...shape,
          parameters: shape.parameters.map((each) =>
            each.role === "free" || each.role === "steps"
              ? each
              : {
                  ...each,
                  low: low ?? each.low,
                  high: high ?? each.high,
                  low_open: !!low_open || (each.low_open && each.low === (low ?? each.low)),
                  high_open: !!high_open || (each.high_open && each.high === (high ?? each.high)),
                },
          ),
        }));
      }
      return shapes;
    },
  };
}

/**
 * @param {object} host
 * @param {() => {tracks?: Track[], candidates?: Candidate[]}} host.design
 * @param {import("./commits.js").Commits} host.commits
 * @param {(name: string) => void} host.activate
 * @param {(name: string, value: number | null) => Promise<string | null>} host.change a new track
 *   with the value with which it begins, or null for one to be removed; resolves with a refusal
 * @param {AbortSignal} host.signal
 */
export function createTracks({ design, commits, activate, change, signal }) {
  const names = () => Object.keys(commits.all());
  /** @returns {Candidate[]} Between an edit and its answer the new track is still a candidate. */
  const known = () => [...(design().tracks ?? []), ...(design().candidates ?? [])];
  const found = (name = commits.active()) => known().find((each) => each.name === name);
  const label = (name = commits.active()) => (found(name)?.label ?? name).replaceAll("_", " ");
  const list = select({
    label: "track",
    hideLabel: true,
    choices: [],
    value: "",
    onChange: activate,
    hook: "track",
    signal,
  });
  const field = textField({
    label: "or by name",
    placeholder: "dropout_rate",
    format: () => "",
    async onCommit(name) {
      if (names().includes(name)) {
        return `there is a track ${name}`;
      }
      const refusal = await change(name, FIRST_VALUE);
      if (refusal === null) {
        add.close();
      }
      return refusal ?? undefined;
    },
    commitOnBlur: false,
    hook: "track-name",
    signal,
  });
  const add = menu({
    label: "+ track",
    name: "add a track",
    hook: "track-add",
    items: () =>
      (design().candidates ?? [])
        .filter(({ name }) => !names().includes(name))
        .map(({ name, value = FIRST_VALUE }) => ({
          label: `${label(name)} ${formatRate(value)}`,
          title: name,
          hook: `track-add-${name}`,
          onClick: () => change(name, value),
        })),
    foot: field.element,
    signal,
  });
  const remove = button({
    label: "−",
    name: "remove this track",
    title: "remove this track",
    hook: "track-remove",
    onClick: () => change(commits.active(), null),
    signal,
  });

  return {
    element: h("span", { class: "lrw-joined" }, list.element, add.element, remove),
    label,
    /** @returns {Range} */
    range: () => found() ?? { low: null, high: null },
    update() {
      list.setChoices(names().map((value) => ({ value, label: label(value), title: value })));
      list.set(commits.active());
      setDisabled(remove, commits.active() === LEARNING_RATE, "the learning rate stays");
      field.element.hidden = commits.state().chain !== null;
    },
  };
}
