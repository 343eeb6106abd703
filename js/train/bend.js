/**
 * A curve that was bent here. It is shown until what Python tells of the run can have it: what is
 * told before that still has an older one, and the next hand would begin with it.
 */

/** @typedef {import("../schedule/nodes.js").ScheduleNode} ScheduleNode */

/**
 * @typedef {object} Bend
 * @property {(node: ScheduleNode, address: string | null) => (taken: boolean) => boolean} hold
 *   Returns what is to be called with Python's answer; that tells whether the curve is the newest.
 * @property {(address: string | null) => ScheduleNode | null} node What is to be shown in place of
 *   the plan of a hyperparameter, or null.
 */

/**
 * @param {() => unknown} told What Python has told of the run: another object each time.
 * @returns {Bend}
 */
export function createBend(told) {
  /** @type {{node: ScheduleNode, address: string | null, answered: boolean, known: unknown} | null} */
  let held = null;
  return {
    hold(node, address) {
      const own = { node, address, answered: false, known: /** @type {unknown} */ (null) };
      held = own;
      return (taken) => {
        if (held !== own) {
          return false;
        }
        own.answered = true;
        own.known = told();
        held = taken ? own : null;
        return true;
      };
    },
    node(address) {
      if (held && (held.address !== address || (held.answered && told() !== held.known))) {
        held = null;
      }
      return held?.node ?? null;
    },
  };
}
