/**
 * What Python writes and the front end reads: the shape of each synced trait.
 */

/** @typedef {import("./codec.js").PackedColumn} PackedColumn */
/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */

/** @typedef {{name: string, title: string, help: string}} RuleDeclaration */

/**
 * `_find`
 *
 * @typedef {object} FindState
 * @property {"idle" | "running" | "done" | "stopped" | "failed"} state
 * @property {number} progress 0 to 1
 * @property {{low: number, high: number, steps: number}} settings
 * @property {Record<string, number>} suggestions
 * @property {Record<string, string>} silent Why a rule gives no rate.
 * @property {number | null} diverged_at
 * @property {string | null} stopped
 * @property {number} gradient_steps
 * @property {string | null} error
 */

/**
 * `_train`
 *
 * @typedef {object} TrainState
 * @property {number} run Grows at each restart.
 * @property {"idle" | "compiling" | "running" | "paused" | "finished" | "stopped" | "diverged"
 *   | "failed" | "finding"} state
 * @property {number} step
 * @property {number} total
 * @property {number | null} steps_per_second
 * @property {number | null} seconds_left
 * @property {number | null} pace
 * @property {string | null} error
 * @property {Record<string, number>} metrics
 * @property {number | null} learning_rate
 * @property {number | null} held
 * @property {ScheduleNode} plan
 * @property {number} plan_seq
 * @property {string[]} columns
 * @property {string[]} valid_columns
 * @property {string[]} effective Columns of learning rates that are not the curve: the group's, or
 *   the one that a link adapts.
 * @property {string[]} reports Columns of what links tell of their state.
 * @property {number | null} steps_per_epoch
 * @property {{step: number, label: string, source: string}[]} edits
 * @property {{step: number, seconds: number, text: string}[]} journal
 */

/**
 * `_history`
 *
 * @typedef {object} HistorySnapshot
 * @property {number} run
 * @property {number} seq
 * @property {Record<string, PackedColumn>} columns
 * @property {Record<string, PackedColumn>} valid
 * @property {Record<string, PackedColumn> | null} ghost
 */

/** @typedef {{seq: number, columns: Record<string, PackedColumn>}} SweepSnapshot `_sweep` */

/** @type {FindState} */
const NO_SWEEP = {
  state: "idle",
  progress: 0,
  settings: { low: 1e-7, high: 10, steps: 100 },
  suggestions: {},
  silent: {},
  diverged_at: null,
  stopped: null,
  gradient_steps: 0,
  error: null,
};

/** @type {Omit<TrainState, "plan">} */
const NO_RUN = {
  run: 0,
  state: "idle",
  step: 0,
  total: 0,
  steps_per_second: null,
  seconds_left: null,
  pace: null,
  error: null,
  metrics: {},
  learning_rate: null,
  held: null,
  plan_seq: 0,
  columns: ["loss"],
  valid_columns: [],
  effective: [],
  reports: [],
  steps_per_epoch: null,
  edits: [],
  journal: [],
};

/**
 * A widget without a task has no sweep and no run: their traits are then empty.
 *
 * @param {Partial<FindState> | null | undefined} value
 * @returns {FindState}
 */
export function readFind(value) {
  return { ...NO_SWEEP, ...value };
}

/**
 * @param {Partial<TrainState> | null | undefined} value
 * @returns {Omit<TrainState, "plan"> & {plan: ScheduleNode | null}}
 */
export function readTrain(value) {
  return { ...NO_RUN, ...value, plan: value?.plan ?? null };
}
