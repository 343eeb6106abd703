/**
 * One edit in progress, by pointer or by key: shown while it goes on, committed once at its end,
 * or taken back.
 */

import { refused, same } from "../schedule/model.js";
import { onAbort } from "../shared/listeners.js";

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Refusal} Refusal */
/** @typedef {import("./moves.js").Scene} Scene */
/** @typedef {(scene: Scene) => ScheduleNode | Refusal} Move */
/** @typedef {"pointer" | "keys"} EditKind */

/**
 * @typedef {object} Editing
 * @property {() => EditKind | null} active
 * @property {() => ScheduleNode | null} base what the edit began with
 * @property {(kind: EditKind) => void} begin An edit that was still open is committed first.
 * @property {(move: Move) => void} drag Applies to what the edit began with, at the next frame;
 *   only the newest counts.
 * @property {(move: Move) => void} nudge Applies to what is shown, at once.
 * @property {() => void} finish
 * @property {() => void} cancel
 */

/**
 * @param {object} host
 * @param {() => ScheduleNode} host.getNode
 * @param {(node: ScheduleNode) => Scene} host.scene
 * @param {(node: ScheduleNode) => void} host.show Called for each change, and with the old node
 *   when the edit is taken back.
 * @param {(node: ScheduleNode) => void} host.commit
 * @param {(rule: string | null) => void} host.onRefused
 * @param {AbortSignal} host.signal
 * @returns {Editing}
 */
export function createEditing({ getNode, scene, show, commit, onRefused, signal }) {
  /** @type {ScheduleNode | null} */
  let base = null;
  /** @type {EditKind | null} */
  let kind = null;
  /** @type {ScheduleNode | null} */
  let node = null;
  /** @type {Move | null} */
  let waiting = null;
  let frame = 0;

  onAbort(signal, forget);

  function forget() {
    cancelAnimationFrame(frame);
    frame = 0;
    waiting = null;
    kind = null;
    base = null;
    node = null;
  }

  /**
   * @param {Move} move
   * @param {ScheduleNode} from
   */
  function apply(move, from) {
    const result = move(scene(from));
    if (refused(result)) {
      onRefused(result.error);
      return;
    }
    onRefused(null);
    if (result !== node) {
      node = result;
      show(result);
    }
  }

  function flush() {
    cancelAnimationFrame(frame);
    frame = 0;
    if (waiting && base) {
      const move = waiting;
      waiting = null;
      apply(move, base);
    }
  }

  /** @type {Editing} */
  const editing = {
    active: () => kind,
    base: () => base,
    begin(next) {
      editing.finish();
      kind = next;
      base = getNode();
      node = base;
      onRefused(null);
    },
    drag(move) {
      waiting = move;
      frame ||= requestAnimationFrame(flush);
    },
    nudge(move) {
      if (node) {
        apply(move, node);
      }
    },
    finish() {
      flush();
      const [before, after] = [base, node];
      forget();
      if (!before || !after) {
        return;
      }
      if (same(before, after)) {
        show(before);
      } else {
        commit(after);
      }
    },
    cancel() {
      const before = base;
      forget();
      if (before) {
        onRefused(null);
        show(before);
      }
    },
  };
  return editing;
}
