/**
 * The lines beside the run: its forks, what rewinds cut off, and the candidates of a fan.
 */

import { decodeAll } from "../shared/codec.js";
import { decimate, gather, nearest, smooth } from "../shared/series.js";

/** @typedef {import("../shared/codec.js").Columns} Columns */
/** @typedef {import("../shared/traits.js").Branches} Branches */
/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * @typedef {object} BranchLine
 * @property {string} id
 * @property {"fork" | "abandoned" | "fan"} kind
 * @property {string} name
 * @property {number} slot Its place among the looks; -1 for what was cut off.
 * @property {Float64Array} x
 * @property {Float64Array} y
 */

/**
 * @typedef {object} BranchData
 * @property {(train: Train) => void} update
 * @property {(id: string) => number} slotOf A fork's place among the looks.
 * @property {() => number} end The last step of any line.
 * @property {(metric: string, span: number, of: {x: ArrayLike<number>, y: ArrayLike<number>}) =>
 *   BranchLine[]} smoothed `of` is the run's own average, from which the lines go on.
 * @property {() => BranchLine[]} rates
 */

const LOOKS = 5;
/** @type {number[][]} */
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2]];

/**
 * @param {number} slot
 * @returns {{color: string, dash: number[], name: string}} a token, a dash, and the class that
 *   gives an element both
 */
export function lookOf(slot) {
  if (slot < 0) {
    return { color: "muted", dash: [], name: "lrw-look-cut" };
  }
  const index = slot % LOOKS;
  return { color: `series-${3 + index}`, dash: DASHES[index], name: `lrw-look-${index}` };
}

/**
 * Places among the looks: each id keeps its own until it goes.
 *
 * @returns {{of: (id: string) => number, keep: (ids: string[]) => void}}
 */
export function createSlots() {
  /** @type {Map<string, number>} */
  const slots = new Map();
  return {
    of(id) {
      const known = slots.get(id);
      if (known !== undefined) {
        return known;
      }
      const taken = new Set(slots.values());
      let free = 0;
      while (taken.has(free)) {
        free += 1;
      }
      slots.set(id, free);
      return free;
    },
    keep(ids) {
      for (const id of [...slots.keys()]) {
        if (!ids.includes(id)) {
          slots.delete(id);
        }
      }
    },
  };
}

/**
 * @param {() => Partial<Branches> | null | undefined} read the trait
 * @returns {BranchData}
 */
export function createBranches(read) {
  const slots = createSlots();
  /** @type {Partial<Branches> | null | undefined} */
  let known = null;
  /** @type {{id: string, kind: "fork" | "abandoned" | "fan", name: string, step: number,
   *   columns: Columns}[]} */
  let lines = [];
  /** By what they are of and how smooth they are, until other lines come. */
  /** @type {Map<string, BranchLine[]>} */
  const averages = new Map();

  /** @param {{id: string, kind: string}} line */
  const slotOf = ({ id, kind }) =>
    kind === "fork" ? slots.of(id) : kind === "fan" ? Number(id.slice(1)) || 0 : -1;

  return {
    update({ run, forks }) {
      const trait = read();
      slots.keep(forks.map(({ id }) => id));
      for (const { id } of forks) {
        slots.of(id);
      }
      if (trait !== known) {
        known = trait;
        lines = (trait?.lines ?? []).map((line) => ({
          ...line,
          columns: decodeAll(line.columns),
        }));
        averages.clear();
      }
      if (known?.run !== run) {
        // Of a run that was before, or is about to be shown.
        known = null;
        lines = [];
        averages.clear();
      }
    },
    slotOf: (id) => slots.of(id),
    end: () => Math.max(0, ...lines.map(({ columns }) => columns.step?.at(-1) ?? 0)),
    smoothed(metric, span, { x, y }) {
      const key = JSON.stringify([metric, span, x.length > 0]);
      const done = averages.get(key);
      if (done) {
        return done;
      }
      const made = lines.flatMap((line) => {
        const { step, [metric]: values } = line.columns;
        if (!step?.length || !values) {
          return [];
        }
        // A line begins where it left the run, not at the noise of its first step.
        const at = nearest(x, step[0]);
        const near = at >= 0 && Math.abs(x[at] - step[0]) <= span && Number.isFinite(y[at]);
        const seed = near ? { x: step[0] - 1, y: y[at] } : null;
        return [
          {
            ...line,
            slot: slotOf(line),
            x: Float64Array.from(step),
            y: smooth(step, values, span, seed),
          },
        ];
      });
      averages.set(key, made);
      return made;
    },
    rates: () =>
      lines.flatMap((line) => {
        const { step, rate } = line.columns;
        if (!step?.length || !rate) {
          return [];
        }
        const shown = decimate(step, rate, step.length);
        return [{ ...line, slot: slotOf(line), x: gather(step, shown), y: gather(rate, shown) }];
      }),
  };
}
