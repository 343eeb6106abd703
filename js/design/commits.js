/**
 * The way of an edit to Python and back.
 *
 * What is shown runs ahead of what Python has accepted. One edit is under way at a time; of those
 * made meanwhile only the newest follows. What Python refuses is taken back, and what it changes
 * by itself is one undo step like any other.
 */

import { begin, push, redo, replacePresent, undo } from "../schedule/history.js";
import { same } from "../schedule/model.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/history.js").History<ScheduleNode>} ScheduleHistory */
/** @typedef {{seq: number, schedule: ScheduleNode}} Design */

/**
 * An edit on its way: `done` gets the reason of a refusal, or null.
 *
 * @typedef {{history: ScheduleHistory, done: (refusal: string | null) => void}} Request
 */

/**
 * @typedef {object} Commits
 * @property {() => ScheduleNode} node what is shown
 * @property {() => boolean} pending whether Python has yet to answer
 * @property {() => boolean} canUndo
 * @property {() => boolean} canRedo
 * @property {(node: ScheduleNode) => Promise<string | null>} commit Resolves with the reason if
 *   Python refused it, when it was answered or a newer one took its place.
 * @property {() => Promise<string | null>} undo
 * @property {() => Promise<string | null>} redo
 * @property {(design: Design) => void} adopt what Python says the design is
 */

/**
 * @param {object} host
 * @param {Design} host.design
 * @param {(node: ScheduleNode) => Promise<unknown>} host.send
 * @param {(node: ScheduleNode, from: "here" | "python") => void} host.show The node, or what can be
 *   undone, or what is pending has changed.
 * @returns {Commits}
 */
export function createCommits({ design, send, show }) {
  let history = begin(design.schedule);
  let accepted = history;
  let seen = design.seq;
  /** @type {Request | null} */
  let underWay = null;
  /** @type {Request | null} */
  let next = null;
  /** @type {ScheduleNode | null} what Python did by itself while an edit was under way */
  let foreign = null;

  /** @param {ScheduleHistory} changed */
  function submit(changed) {
    if (changed === history) {
      return Promise.resolve(null);
    }
    history = changed;
    /** @type {Promise<string | null>} */
    const answer = new Promise((done) => {
      next?.done(null);
      next = { history, done };
    });
    if (!underWay) {
      sendNext();
    }
    show(history.present, "here");
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
    try {
      await send(request.history.present);
      accepted = request.history;
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
    if (next) {
      sendNext();
    } else {
      underWay = null;
      settle(refusal !== null);
    }
    request.done(refusal);
  }

  /** @param {boolean} refused */
  function settle(refused) {
    const other = foreign;
    foreign = null;
    if (refused) {
      history = accepted;
    }
    if (other && !same(other, history.present)) {
      takeOver(other);
    } else {
      show(history.present, refused ? "python" : "here");
    }
  }

  /** @param {ScheduleNode} node */
  function takeOver(node) {
    history = push(history, node);
    accepted = history;
    show(node, "python");
  }

  return {
    node: () => history.present,
    pending: () => underWay !== null,
    canUndo: () => history.past.length > 0,
    canRedo: () => history.future.length > 0,
    commit: (node) => submit(push(history, node)),
    undo: () => submit(undo(history)),
    redo: () => submit(redo(history)),
    adopt({ seq, schedule }) {
      if (seq <= seen) {
        return;
      }
      seen = seq;
      if (same(schedule, history.present)) {
        // Our own, come back with the samples that only Python can draw.
        const unchanged = accepted === history;
        history = replacePresent(history, schedule);
        accepted = unchanged ? history : accepted;
        foreign = null;
        show(schedule, "here");
      } else if (!underWay) {
        takeOver(schedule);
      } else if (!same(schedule, underWay.history.present) && !same(schedule, accepted.present)) {
        foreign = schedule;
      }
    },
  };
}
