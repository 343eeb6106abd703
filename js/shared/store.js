/**
 * A tiny observable record.
 */

import { createListeners } from "./listeners.js";

/**
 * @template {object} T
 * @typedef {object} Store
 * @property {() => Readonly<T>} get
 * @property {(patch: Partial<T>) => void} set Merges; subscribers hear of it only if a value
 *   changed (by `Object.is`).
 * @property {(fn: (state: Readonly<T>, previous: Readonly<T>) => void, signal?: AbortSignal) =>
 *   () => void} subscribe Returns the function that unsubscribes; `signal` does the same.
 */

/**
 * @template {object} T
 * @param {T} initial
 * @returns {Store<T>}
 */
export function createStore(initial) {
  /** @type {T} */
  let state = { ...initial };
  /** @type {import("./listeners.js").Listeners<[Readonly<T>, Readonly<T>]>} */
  const subscribers = createListeners();

  return {
    get: () => state,
    set(patch) {
      const keys = /** @type {(keyof T)[]} */ (Object.keys(patch));
      if (keys.every((key) => Object.is(state[key], patch[key]))) {
        return;
      }
      const previous = state;
      state = { ...state, ...patch };
      subscribers.tell(state, previous);
    },
    subscribe: subscribers.add,
  };
}
