/**
 * Talking to Python: commands with an id and an answer, numbered binary deltas, and what is
 * known of the kernel meanwhile.
 */

import { decodeMessage } from "./codec.js";
import { createListeners } from "./listeners.js";

/** @typedef {import("./codec.js").Columns} Columns */

/**
 * The part of anywidget's model that the front end uses.
 *
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(content: any, callbacks?: any, buffers?: any) => void} send
 * @property {(event: string, fn: (...args: any[]) => void) => void} on
 * @property {(event: string, fn: (...args: any[]) => void) => void} off
 */

/**
 * @typedef {object} Delta
 * @property {string} stream "train" or "find"
 * @property {number} [run]
 * @property {string | null} [address] Of what the column `learning_rate` is.
 * @property {number} [cut] Rows from this step on have become void.
 * @property {number} [valid_cut]
 * @property {number} seq
 * @property {Columns} columns
 * @property {Columns} valid
 */

/**
 * @typedef {object} ClientState
 * @property {string[]} pending Kinds of the requests that wait for an answer, oldest first.
 * @property {boolean} busy One of them has waited for longer than a second.
 * @property {boolean} gone The kernel cannot be reached any more.
 */

/**
 * @typedef {object} Client
 * @property {(kind: string, fields?: object, options?: {onBusy?: () => void}) => Promise<any>}
 *   request Resolves with the reply's value; rejects with an `Error` whose message is for the
 *   person.
 * @property {(stream: string, fn: (delta: Delta) => void, signal?: AbortSignal) => () => void}
 *   onDelta
 * @property {() => ClientState} state
 * @property {(fn: (state: ClientState) => void, signal?: AbortSignal) => () => void} onState
 * @property {(gone: boolean) => void} setGone What the host says of the connection.
 * @property {() => void} probe Finds out whether the kernel can still be reached, unless that was
 *   known a moment ago: a restart tells nobody, only sending fails from then on.
 * @property {() => void} dispose Rejects what still waits; safe to call twice.
 */

export const BUSY_AFTER_MS = 1000;
const PROBE_AGAIN_MS = 3000;
const EDIT = "design.set";
/** What is made of the design: the edits that were made before come first. */
const OF_DESIGN = /^(export\.text|find\.(start|use)|schedule\.\w+|train\.(start|step|restart))$/;
export const GONE = "the kernel is gone: run the cell again to go on";

/**
 * @param {Model} model
 * @returns {Client}
 */
export function createClient(model) {
  /**
   * @typedef {object} Waiting
   * @property {string} kind
   * @property {boolean} busy
   * @property {ReturnType<typeof setTimeout>} timer
   * @property {(value: any) => void} resolve
   * @property {(reason: Error) => void} reject
   */

  // Python's messages reach every page that shows this widget: ids must differ between pages.
  const page = Math.random().toString(36).slice(2, 10);
  /** @type {Map<string, Waiting>} */
  const waiting = new Map();
  /** What goes when all edits are answered: of two made in a row the second has yet to be sent.
   * @type {(() => void)[]} */
  const held = [];
  /** @type {import("./listeners.js").Listeners<[ClientState]>} */
  const states = createListeners();
  /** @type {import("./listeners.js").Listeners<[Delta]>} */
  const deltas = createListeners();
  let count = 0;
  let gone = false;
  let heardAt = Number.NEGATIVE_INFINITY;

  /** @returns {ClientState} */
  const state = () => {
    const entries = [...waiting.values()];
    return { pending: entries.map((e) => e.kind), busy: entries.some((e) => e.busy), gone };
  };

  const tell = () => states.tell(state());

  const editing = () => [...waiting.values()].some(({ kind }) => kind === EDIT);

  function letOn() {
    while (held.length > 0 && !editing()) {
      held.shift()?.();
    }
  }

  /** @param {string} id */
  function take(id) {
    const entry = waiting.get(id);
    if (entry) {
      clearTimeout(entry.timer);
      waiting.delete(id);
    }
    return entry;
  }

  /** @param {string} text */
  function rejectAll(text) {
    held.length = 0;
    for (const id of [...waiting.keys()]) {
      take(id)?.reject(new Error(text));
    }
  }

  /** @param {boolean} next */
  function setGone(next) {
    if (next === gone) {
      return;
    }
    gone = next;
    if (gone) {
      rejectAll(GONE);
    }
    tell();
  }

  /**
   * @param {any} message
   * @param {DataView[]} [buffers]
   */
  function receive(message, buffers = []) {
    heardAt = Date.now();
    setGone(false);
    if (message?.kind === "reply") {
      const entry = take(message.id);
      if (entry) {
        if (message.error === undefined || message.error === null) {
          entry.resolve(message.value);
        } else {
          entry.reject(new Error(String(message.error)));
        }
        if (held.length > 0) {
          // Whoever waits for this answer may send the next edit first.
          setTimeout(letOn);
        }
        tell();
      }
    } else if (message?.kind === "delta") {
      const { kind: _kind, columns: heads = [], valid, ...rest } = message;
      deltas.tell({
        ...rest,
        columns: decodeMessage(heads, buffers),
        valid: decodeMessage(valid, buffers.slice(heads.length)),
      });
    }
  }

  model.on("msg:custom", receive);

  return {
    state,
    setGone,
    probe() {
      if (Date.now() - heardAt < PROBE_AGAIN_MS) {
        return;
      }
      heardAt = Date.now();
      count += 1;
      try {
        model.send({ id: `${page}-${count}`, kind: "ready" });
      } catch {
        setGone(true);
      }
    },
    request(kind, fields = {}, { onBusy } = {}) {
      count += 1;
      const id = `${page}-${count}`;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          const entry = waiting.get(id);
          if (entry) {
            entry.busy = true;
            onBusy?.();
            tell();
          }
        }, BUSY_AFTER_MS);
        const wait = OF_DESIGN.test(kind) && (held.length > 0 || editing());
        waiting.set(id, { kind, busy: false, timer, resolve, reject });
        const go = () => {
          try {
            if (waiting.has(id)) {
              model.send({ ...fields, id, kind });
            }
          } catch {
            // The comm throws once it is closed: the one sure sign of a kernel that went away.
            take(id);
            reject(new Error(GONE));
            setGone(true);
          }
        };
        if (wait) {
          held.push(go);
        } else {
          go();
        }
        tell();
      });
    },
    onDelta: (stream, fn, signal) =>
      deltas.add((delta) => {
        if (delta.stream === stream) {
          fn(delta);
        }
      }, signal),
    onState: states.add,
    dispose() {
      model.off("msg:custom", receive);
      rejectAll("the widget was closed");
      states.clear();
      deltas.clear();
    },
  };
}
