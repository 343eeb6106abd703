/**
 * Undo and redo as plain values: every operation returns a new history.
 */

/**
 * @template T
 * @typedef {object} History
 * @property {readonly T[]} past oldest first
 * @property {T} present
 * @property {readonly T[]} future the next to redo first
 */

const LIMIT = 200;

/**
 * @template T
 * @param {T} present
 * @returns {History<T>}
 */
export function begin(present) {
  return { past: [], present, future: [] };
}

/**
 * @template T
 * @param {History<T>} history
 * @param {T} next
 * @returns {History<T>}
 */
export function push(history, next) {
  return { past: [...history.past, history.present].slice(-LIMIT), present: next, future: [] };
}

/**
 * The present in another form of the same thing: no step of its own.
 *
 * @template T
 * @param {History<T>} history
 * @param {T} present
 * @returns {History<T>}
 */
export function replacePresent(history, present) {
  return { ...history, present };
}

/**
 * The history without a step that led nowhere.
 *
 * @template T
 * @param {History<T>} history
 * @param {T} step
 * @returns {History<T>}
 */
export function forget({ past, present, future }, step) {
  const others = (/** @type {readonly T[]} */ steps) => steps.filter((each) => each !== step);
  return { past: others(past), present, future: others(future) };
}

/**
 * @template T
 * @param {History<T>} history
 * @returns {History<T>} the same where there is nothing to undo
 */
export function undo(history) {
  const { past, present, future } = history;
  if (past.length === 0) {
    return history;
  }
  return { past: past.slice(0, -1), present: past[past.length - 1], future: [present, ...future] };
}

/**
 * @template T
 * @param {History<T>} history
 * @returns {History<T>} the same where there is nothing to redo
 */
export function redo(history) {
  const { past, present, future } = history;
  if (future.length === 0) {
    return history;
  }
  return { past: [...past, present], present: future[0], future: future.slice(1) };
}
