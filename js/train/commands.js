/**
 * Sending a command and showing what becomes of it: waiting, busy, refused.
 */

import { setAttribute } from "../shared/dom.js";
import { BUSY_TEXT } from "../shared/status.js";
import { readTrain } from "../shared/traits.js";

/** @typedef {import("../shared/controls.js").Note} Note */

/**
 * @typedef {object} SendOptions
 * @property {string} waiting What is said until the answer comes, as "pausing…".
 * @property {Note} note Where it is said.
 * @property {Element | null} [control] Marked as waiting meanwhile.
 */

/**
 * @typedef {(kind: string, fields: object, options: SendOptions) => Promise<{value: any} | null>}
 *   Send Null where the command was refused; the note then says why.
 */

/**
 * @param {import("../frame/view.js").Context} context
 * @param {AbortSignal} signal
 * @returns {{send: Send, forget: () => void}} `forget` clears what the notes say of earlier
 *   commands: a new run has begun.
 */
export function createSend({ client, announce, use }, signal) {
  /** The newest command of each note: an older one's answer must not wipe its words away.
   * @type {Map<Note, number>} */
  const newest = new Map();
  /** How many commands of a control wait. @type {Map<Element, number>} */
  const waits = new Map();
  let count = 0;

  /**
   * @param {Element | null} control
   * @param {1 | -1} by
   */
  function mark(control, by) {
    if (control) {
      const left = (waits.get(control) ?? 0) + by;
      waits.set(control, left);
      setAttribute(control, "aria-busy", left > 0 ? "true" : null);
    }
  }

  /** @type {Send} */
  const send = async (kind, fields, { waiting, note, control = null }) => {
    count += 1;
    const own = count;
    newest.set(note, own);
    const current = () => !signal.aborted && newest.get(note) === own;
    note.say(waiting);
    mark(control, 1);
    try {
      const value = await client.request(kind, fields, {
        onBusy: () => {
          if (current()) {
            const compiling = readTrain(use("_train")).state === "compiling";
            note.say(`${waiting} (${compiling ? "the training step compiles first" : BUSY_TEXT})`);
          }
        },
      });
      if (current()) {
        note.say("");
      }
      return { value };
    } catch (reason) {
      const text = reason instanceof Error ? reason.message : String(reason);
      if (current()) {
        note.fail(text);
        announce(text);
      }
      return null;
    } finally {
      mark(control, -1);
    }
  };

  return {
    send,
    forget() {
      for (const note of newest.keys()) {
        note.say("");
      }
      newest.clear();
    },
  };
}
