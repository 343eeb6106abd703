/**
 * Who is told of a change, and what happens when a view goes.
 */

/**
 * @param {AbortSignal | undefined} signal
 * @param {() => void} fn
 */
export function onAbort(signal, fn) {
  signal?.addEventListener("abort", fn, { once: true });
}

/**
 * @template {any[]} A
 * @typedef {object} Listeners
 * @property {(fn: (...args: A) => void, signal?: AbortSignal) => () => void} add Returns what
 *   removes it again, as the end of `signal` does.
 * @property {(...args: A) => void} tell
 * @property {() => void} clear
 */

/**
 * @template {any[]} A
 * @returns {Listeners<A>}
 */
export function createListeners() {
  /** @type {Set<(...args: A) => void>} */
  const all = new Set();
  return {
    add(fn, signal) {
      const remove = () => {
        all.delete(fn);
      };
      if (!signal?.aborted) {
        all.add(fn);
        onAbort(signal, remove);
      }
      return remove;
    },
    tell(...args) {
      for (const fn of [...all]) {
        fn(...args);
      }
    },
    clear: () => all.clear(),
  };
}
