/**
 * The way of an edit to Python and back.
 *
 * What is shown runs ahead of what Python has accepted. One edit is under way at a time; of those
 * made meanwhile only the newest follows. What Python refuses is taken back, and what it changes
 * by itself is one undo step like any other. All tracks have one history: to undo an edit of
 * another track is to see that track again.
 */

import { begin, forget, push, redo, replacePresent, undo } from "../schedule/history.js";
import { same } from "../schedule/model.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("./chain_node.js").Tracks} Tracks */
/** @typedef {import("./chain_node.js").ChainNode} ChainNode */
/** @typedef {import("./chain_node.js").State} State all that one undo step holds */
/** @typedef {import("../schedule/history.js").History<State>} StateHistory */
/**
 * @typedef {object} Design what Python says it is
 * @property {number} seq
 * @property {ScheduleNode} schedule
 * @property {{name: string, schedule: ScheduleNode}[]} [tracks]
 * @property {ChainNode | null} [chain_node]
 */

/**
 * An edit on its way: `done` gets the reason of a refusal, or null.
 *
 * @typedef {{history: StateHistory, done: (refusal: string | null) => void}} Request
 */

/**
 * @typedef {object} Commits
 * @property {() => ScheduleNode} node what is shown of the active track
 * @property {() => string} active
 * @property {() => Tracks} all every track by its name, the learning rate first
 * @property {() => boolean} pending whether Python has yet to answer
 * @property {() => boolean} canUndo
 * @property {() => boolean} canRedo
 * @property {(name: string) => void} activate No edit, and no undo step.
 * @property {(node: ScheduleNode | null, name?: string, others?: Tracks) => Promise<string | null>}
 *   commit The active track's new curve, or with a name that of another one, which becomes the
 *   active one; null removes the track. Others change in the same step. Resolves with the reason
 *   if Python refused it, when it was answered or a newer one took its place.
 * @property {() => State} state
 * @property {(state: State) => Promise<string | null>} commitAll another chain, and its tracks;
 *   the active track stays so, under whatever name
 * @property {() => Promise<string | null>} undo
 * @property {() => Promise<string | null>} redo
 * @property {(design: Design) => void} adopt what Python says the design is
 */

/** The track that is always there. */
export const LEARNING_RATE = "learning_rate";

/**
 * @param {State} state
 * @returns {Tracks}
 */
const allOf = ({ schedule, tracks }) => ({ [LEARNING_RATE]: schedule, ...tracks });

/**
 * @param {Design} design
 * @returns {State}
 */
function stateOf({ schedule, tracks = [], chain_node: chain = null }) {
  return {
    schedule,
    chain,
    tracks: Object.fromEntries(tracks.map((track) => [track.name, track.schedule])),
  };
}

/**
 * @param {State} from
 * @param {State} to
 * @returns {string[]} the tracks in `to` that differ or are new
 */
function changed(from, to) {
  const before = allOf(from);
  return Object.entries(allOf(to))
    .filter(([name, node]) => !before[name] || !same(before[name], node))
    .map(([name]) => name);
}

/**
 * @param {State} a
 * @param {State} b
 */
function sameState(a, b) {
  return sameChain(a, b) && changed(a, b).length === 0 && changed(b, a).length === 0;
}

/**
 * @param {State} a
 * @param {State} b
 */
function sameChain(a, b) {
  // Compared as data, whatever it is data of.
  return same(/** @type {any} */ (a.chain), /** @type {any} */ (b.chain));
}

/**
 * @param {State} state another chain, whose links may be called otherwise
 * @param {State} before
 * @param {string} name of a track in `before`
 * @returns {string} what the same track is called in `state`; where it is gone, any name
 */
function nameIn(state, before, name) {
  const [old, now] = [allOf(before), allOf(state)];
  const alike = (/** @type {string} */ each) => now[each] && same(now[each], old[name]);
  if (name === LEARNING_RATE || !old[name] || alike(name)) {
    return name;
  }
  const names = Object.keys(now).filter((each) => each !== LEARNING_RATE && alike(each));
  return names.find((each) => !old[each]) ?? names[0] ?? name;
}

/**
 * @param {object} host
 * @param {Design} host.design
 * @param {string} [host.active] the track with which to begin
 * @param {(state: Partial<State>) => Promise<{seq: number} | null>} host.send Resolves with the
 *   number of the design that holds the edit. The chain is sent only where it has changed.
 * @param {(node: ScheduleNode, from: "here" | "python") => void} host.show The node, or what can be
 *   undone, or what is pending, or the active track has changed.
 * @returns {Commits}
 */
export function createCommits({ design, active = LEARNING_RATE, send, show }) {
  let history = begin(stateOf(design));
  let accepted = history;
  let seen = design.seq;
  let chosen = active;
  /** @type {Request | null} */
  let underWay = null;
  /** @type {Request | null} */
  let next = null;
  /**
   * What came last while an edit was under way. It may be that edit: if Python then refuses, because
   * an observer has failed, the design has changed all the same.
   *
   * @type {{seq: number, state: State} | null}
   */
  let foreign = null;
  /** The design that holds the newest edit of the chain that was answered. */
  let answered = -1;

  const all = () => allOf(history.present);
  const current = () => (all()[chosen] ? chosen : LEARNING_RATE);

  /** @param {"here" | "python"} from */
  function tell(from) {
    chosen = current();
    show(all()[chosen], from);
  }

  /**
   * @param {State} state
   * @returns {StateHistory} the same where nothing changes: that is nothing to undo
   */
  const after = (state) => (sameState(state, history.present) ? history : push(history, state));

  /** @param {StateHistory} wanted */
  function submit(wanted) {
    if (wanted === history) {
      return Promise.resolve(null);
    }
    const before = history.present;
    const touched = changed(before, wanted.present);
    history = wanted;
    if (!sameChain(before, wanted.present)) {
      chosen = nameIn(wanted.present, before, chosen);
    } else if (touched.length > 0 && !touched.includes(chosen)) {
      chosen = touched[0];
    }
    /** @type {Promise<string | null>} */
    const answer = new Promise((done) => {
      next?.done(null);
      next = { history, done };
    });
    if (!underWay) {
      sendNext();
    }
    tell("here");
    return answer;
  }

  async function sendNext() {
    const request = next;
    next = null;
    underWay = request;
    if (!request) {
      return;
    }
    /** @type {string | null} */
    let refusal = null;
    const { chain, ...curves } = request.history.present;
    const known = sameChain(request.history.present, accepted.present);
    try {
      const reply = await send(known ? curves : { ...curves, chain });
      accepted = request.history;
      answered = known ? answered : (reply?.seq ?? answered);
      if (foreign && reply && foreign.seq < reply.seq) {
        // It was so before the edit arrived.
        foreign = null;
      }
      if (foreign?.seq === answered) {
        // The edit itself, in Python's words: defaults are left out, names are written in full.
        const { state } = foreign;
        foreign = null;
        accepted = replacePresent(accepted, state);
        if (history === request.history) {
          chosen = nameIn(state, history.present, chosen);
          history = accepted;
        }
      }
    } catch (error) {
      refusal = /** @type {Error} */ (error).message;
      leaveOut(request.history.present);
    }
    if (next) {
      sendNext();
    } else {
      underWay = null;
      settle(refusal !== null);
    }
    request.done(refusal);
  }

  /**
   * No undo may come to a stop at what Python refuses, not that of an edit on top of it either.
   *
   * @param {State} refused
   */
  function leaveOut(refused) {
    history = forget(history, refused);
    accepted = forget(accepted, refused);
    next = next && { ...next, history };
  }

  /** @param {boolean} refused */
  function settle(refused) {
    const other = foreign;
    foreign = null;
    if (refused) {
      history = accepted;
    }
    if (other && !sameState(other.state, history.present)) {
      takeOver(other.state);
    } else {
      tell(refused ? "python" : "here");
    }
  }

  /** @param {State} state */
  function takeOver(state) {
    history = push(history, state);
    accepted = history;
    tell("python");
  }

  return {
    node: () => all()[current()],
    active: current,
    all,
    pending: () => underWay !== null,
    canUndo: () => history.past.length > 0,
    canRedo: () => history.future.length > 0,
    activate(name) {
      if (name !== current() && all()[name]) {
        chosen = name;
        tell("here");
      }
    },
    commit(node, name = current(), others = {}) {
      const nodes = { ...all(), ...others, [name]: node };
      const { [LEARNING_RATE]: schedule, ...tracks } = nodes;
      const kept = Object.entries(tracks).filter((track) => track[1] !== null);
      return submit(
        after({
          schedule: /** @type {ScheduleNode} */ (schedule),
          tracks: /** @type {Tracks} */ (Object.fromEntries(kept)),
          chain: history.present.chain,
        }),
      );
    },
    state: () => history.present,
    commitAll: (state) => submit(after(state)),
    undo: () => submit(undo(history)),
    redo: () => submit(redo(history)),
    adopt(told) {
      if (told.seq <= seen) {
        return;
      }
      seen = told.seq;
      const state = stateOf(told);
      if (sameState(state, history.present) || (told.seq === answered && !underWay)) {
        // Our own, come back with the samples that only Python can draw.
        const unchanged = accepted === history;
        chosen = nameIn(state, history.present, chosen);
        history = replacePresent(history, state);
        accepted = unchanged ? history : accepted;
        foreign = underWay && { seq: told.seq, state };
        tell("here");
      } else if (told.seq === answered) {
        accepted = replacePresent(accepted, state);
      } else if (!underWay) {
        takeOver(state);
      } else {
        // Only the newest counts: what was told before is no longer so.
        foreign = { seq: told.seq, state };
      }
    },
  };
}
