/**
 * What Python writes and the front end reads: the shape of each synced trait.
 */

/** @typedef {import("./codec.js").PackedColumn} PackedColumn */
/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */

/**
 * @typedef {object} RuleDeclaration
 * @property {string} name
 * @property {string} title
 * @property {string} help
 * @property {boolean} [shown] If false, the plot shows it only where the person asks for it.
 */

/**
 * @typedef {object} FindSettings
 * @property {number} low
 * @property {number} high
 * @property {number} steps
 * @property {number} seeds
 * @property {"exponential" | "linear"} ladder
 * @property {"train" | "valid"} loss
 * @property {"quick" | "thorough" | "none"} budget of the advice
 * @property {"start" | "here"} from The initial weights, or where the run is.
 */

/**
 * @typedef {object} AdviceState
 * @property {"running" | "advised" | "refused" | "failed" | "stopped"} state
 * @property {string} stage
 * @property {number} share 0 to 1
 * @property {number | null} learning_rate
 * @property {number | null} low
 * @property {number | null} high
 * @property {string | null} sure
 * @property {string[]} reasons
 * @property {string | null} refused Why there is no advice.
 * @property {string | null} remedy
 * @property {number} gradient_steps
 * @property {string | number} budget
 * @property {number | null} steps The horizon that it is for.
 * @property {"train" | "valid"} loss
 * @property {string | null} error
 */

/**
 * @typedef {object} CurvatureState
 * @property {number | null} safe_up_to
 * @property {number | null} critical_rate
 * @property {number | null} sharpness
 * @property {string} meaning
 * @property {boolean} preconditioned
 */

/**
 * `_find`
 *
 * @typedef {object} FindState
 * @property {"idle" | "running" | "done" | "stopped" | "failed"} state
 * @property {"sweep" | "probes" | null} phase
 * @property {number} progress 0 to 1, of both phases
 * @property {boolean} stopping It was asked to stop, and goes on to the next point where it can.
 * @property {FindSettings} settings
 * @property {boolean} validation Whether the task has data for it.
 * @property {"train" | "valid"} objective
 * @property {Record<string, number>} suggestions
 * @property {Record<string, [number, number]>} spread The lowest and the highest over the seeds.
 * @property {Record<string, string>} silent Why a rule gives no rate.
 * @property {string[]} left_out What the sweep did not change.
 * @property {number | null} diverged_at
 * @property {string | null} stopped
 * @property {number} gradient_steps
 * @property {string | null} error
 * @property {string | null} outdated What of the design has changed since.
 * @property {AdviceState | null} advice
 * @property {CurvatureState | null} curvature
 */

/**
 * @typedef {object} ProbeState A short real run of `_probes`.
 * @property {number} rate
 * @property {number} horizon
 * @property {number} seed
 * @property {boolean} diverged
 * @property {number | null} final
 * @property {boolean} [best]
 * @property {Record<string, PackedColumn>} columns step and loss
 */

/** @typedef {{rate: number, low: number | null, high: number | null}} FitState */

/**
 * `_probes`
 *
 * @typedef {object} ProbesState
 * @property {number} seq
 * @property {number | null} steps The horizon that the advice is for.
 * @property {ProbeState[]} runs
 * @property {(FitState & {horizon: number})[]} fits
 * @property {FitState | null} optimum
 */

/**
 * @typedef {object} Watchable
 * @property {string} address
 * @property {string} short
 * @property {number | null} low
 * @property {number | null} high
 * @property {number | null} held
 */

/**
 * @typedef {object} ForkState
 * @property {string} id
 * @property {string} name
 * @property {number} step Where it began.
 * @property {TrainState["state"]} state
 * @property {number} position
 * @property {number} total
 * @property {number | null} loss
 * @property {string | null} parent Of which fork it is one; null: of the run.
 */

/**
 * @typedef {object} FanState
 * @property {"running" | "done" | "stopped" | "failed"} state
 * @property {number} step
 * @property {number} steps
 * @property {number} done 0 to 1
 * @property {{label: string, loss: number | null, diverged: boolean}[]} candidates
 * @property {number | null} best
 * @property {string | null} error
 */

/** @typedef {{step: number, reason: string}} SnapshotState */

/**
 * @typedef {object} EditState
 * @property {number} step
 * @property {string} label
 * @property {string} source
 * @property {"edit" | "guard" | "rewind" | "fork"} [kind]
 * @property {boolean} [undone]
 */

/**
 * @typedef {object} JournalState
 * @property {number} step
 * @property {number} seconds
 * @property {string} text
 * @property {string} [from]
 * @property {string} [to]
 * @property {string} [source]
 * @property {boolean} [undone]
 */

/**
 * `_train`: `learning_rate`, `held` and `plan` are those of the hyperparameter that is watched.
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
 * @property {EditState[]} edits
 * @property {JournalState[]} journal
 * @property {string | null} address What is watched; null where nothing can change.
 * @property {Watchable[]} addresses
 * @property {{name: string, frozen: boolean}[]} groups
 * @property {number | null} batch_size
 * @property {{step: number, size: number} | null} batch_next One that waits for its epoch.
 * @property {string | null} batch_fixed Why the batch size cannot change.
 * @property {string[]} able Moves that this kind of run has beyond the first ones.
 * @property {string | null} off Why no control does anything: a run from a file.
 * @property {SnapshotState[]} snapshots rising
 * @property {{step: number, value: number} | null} best
 * @property {ForkState[]} forks
 * @property {FanState | null} fan
 * @property {string | null} guard What it does: "rolls back".
 * @property {string | null} notice
 * @property {string | null} activity What the run does beside taking steps: "rewinding to 600".
 * @property {string | null} traceback
 * @property {{number: number, step: number, text: string}[]} scheduled rising
 * @property {string | null} undo What would be undone.
 * @property {string | null} directory
 * @property {number | null} origin The step at which a resumed run went on.
 */

/**
 * @typedef {object} Branch A line of `_branches`.
 * @property {string} id
 * @property {"fork" | "abandoned" | "fan"} kind
 * @property {string} name
 * @property {number} step
 * @property {Record<string, PackedColumn>} columns step, "rate" and the measures
 */

/** @typedef {{seq: number, run: number, address: string | null, lines: Branch[]}} Branches */

/**
 * `_history`
 *
 * @typedef {object} HistorySnapshot
 * @property {number} run
 * @property {string | null} [address] Of what the column `learning_rate` is.
 * @property {number} seq
 * @property {Record<string, PackedColumn>} columns
 * @property {Record<string, PackedColumn>} valid
 * @property {Record<string, PackedColumn> | null} ghost
 */

/** @typedef {{seq: number, columns: Record<string, PackedColumn>}} SweepSnapshot `_sweep` */

/** @type {FindState} */
const NO_SWEEP = {
  state: "idle",
  phase: null,
  progress: 0,
  stopping: false,
  settings: {
    low: 1e-7,
    high: 10,
    steps: 100,
    seeds: 3,
    ladder: "exponential",
    loss: "train",
    budget: "quick",
    from: "start",
  },
  validation: false,
  objective: "train",
  suggestions: {},
  spread: {},
  silent: {},
  left_out: [],
  diverged_at: null,
  stopped: null,
  gradient_steps: 0,
  error: null,
  outdated: null,
  advice: null,
  curvature: null,
};

/** @type {AdviceState} */
const NO_ADVICE = {
  state: "running",
  stage: "",
  share: 0,
  learning_rate: null,
  low: null,
  high: null,
  sure: null,
  reasons: [],
  refused: null,
  remedy: null,
  gradient_steps: 0,
  budget: "quick",
  steps: null,
  loss: "train",
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
  address: null,
  addresses: [],
  groups: [],
  batch_size: null,
  batch_next: null,
  batch_fixed: null,
  able: [],
  off: null,
  snapshots: [],
  best: null,
  forks: [],
  fan: null,
  guard: null,
  notice: null,
  activity: null,
  traceback: null,
  scheduled: [],
  undo: null,
  directory: null,
  origin: null,
};

/**
 * A widget without a task has no sweep and no run: their traits are then empty.
 *
 * @param {Partial<FindState> | null | undefined} value
 * @returns {FindState}
 */
export function readFind(value) {
  const settings = { ...NO_SWEEP.settings, ...value?.settings };
  // While it still sweeps, an advice that was asked for is on its way.
  const comes = value?.state === "running" && settings.budget !== "none";
  const advice = value?.advice || comes ? { ...NO_ADVICE, ...value?.advice } : null;
  return { ...NO_SWEEP, ...value, settings, advice };
}

/**
 * @param {Partial<TrainState> | null | undefined} value
 * @returns {Omit<TrainState, "plan"> & {plan: ScheduleNode | null}}
 */
export function readTrain(value) {
  // A run without a rate that can change has an empty plan.
  return { ...NO_RUN, ...value, plan: value?.plan?.node ? value.plan : null };
}
