/**
 * What is known of the links: their hyperparameters, as Python has told them so far, and a link in
 * a few words.
 */

import { formatRate } from "../shared/format.js";

/** @typedef {import("./chain_node.js").LinkNode} LinkNode */

/**
 * @typedef {object} Hyperparameter
 * @property {string} name
 * @property {"number" | "integer" | "flag" | "choice" | "numbers" | "dtype" | "mask" | "function"
 *   | "chain"} kind
 * @property {unknown} value
 * @property {boolean} default whether it was left at Optax's default
 * @property {boolean} scheduled
 * @property {boolean} live whether it may change while training
 * @property {boolean} optional
 * @property {string[]} choices
 * @property {number | null} low
 * @property {number | null} high
 * @property {boolean} low_open
 * @property {boolean} high_open
 * @property {string} help
 */

/** @typedef {{link: string, label: string, category?: string, help?: string,
 *   hyperparameters: Hyperparameter[]}} Part */
/**
 * How a number is set: by itself, as a track, or as the curve of the learning rate.
 *
 * @typedef {"number" | "track" | "curve"} Mode
 */

/**
 * @returns what Python has said of each kind of link. An edit is shown before it is answered, so
 *   that a link may be there of which nothing is known yet.
 */
export function createDeclarations() {
  /** @type {Map<string, Part>} */
  const parts = new Map();
  /** @type {Map<string, unknown>} */
  const defaults = new Map();
  /** @type {Set<string>} A number that is none is not live: it may become so. */
  const live = new Set();
  /** @type {Map<string, string>} what the curve was, of each kind of link that had it */
  const rates = new Map();

  return {
    /**
     * @param {Part[]} told
     * @param {readonly LinkNode[]} nodes the same links; what they leave out is at its default, a
     *   curve or not
     * @param {readonly string[]} [tracks] of the main chain, whose other curve is its learning rate
     */
    learn(told, nodes, tracks) {
      for (const [i, part] of told.entries()) {
        parts.set(part.link, part);
        for (const each of part.hyperparameters) {
          const key = `${part.link}.${each.name}`;
          if (!(each.name in nodes[i].hyperparameters)) {
            defaults.set(key, each.value);
          }
          if (each.live) {
            live.add(key);
          }
          if (tracks && each.scheduled && !tracks.includes(`${part.label}.${each.name}`)) {
            rates.set(part.link, each.name);
          }
        }
      }
    },
    /** @param {string} link */
    rate: (link) => rates.get(link),
    /** @param {string} link */
    of: (link) => parts.get(link),
    /**
     * @param {LinkNode} node
     * @param {string} name
     * @returns {any}
     */
    value({ link, hyperparameters }, name) {
      return name in hyperparameters
        ? hyperparameters[name]
        : (defaults.get(`${link}.${name}`) ?? null);
    },
    /**
     * @param {LinkNode} node
     * @param {(name: string) => Mode} mode
     * @returns {string[]} names of what is not left at its default
     */
    told({ link, hyperparameters }, mode) {
      const names = parts.get(link)?.hyperparameters.map(({ name }) => name);
      return (names ?? Object.keys(hyperparameters)).filter((name) => {
        const key = `${link}.${name}`;
        const given = name in hyperparameters && defaults.get(key) !== hyperparameters[name];
        return given || mode(name) !== "number";
      });
    },
    /**
     * @param {string} link
     * @param {string} name
     */
    live: (link, name) => live.has(`${link}.${name}`),
  };
}

/**
 * @param {string[]} names
 * @param {(name: string) => unknown} value
 * @param {(name: string) => Mode} mode
 * @returns {string} as "learning_rate = curve · weight_decay 0.01"; one number needs no name
 */
export function summary(names, value, mode) {
  return names
    .map((name) => {
      const how = mode(name);
      if (how !== "number") {
        return `${name} = ${how}`;
      }
      const text = valueText(value(name));
      return names.length === 1 ? text : `${name} ${text}`;
    })
    .join(" · ");
}

/** @param {unknown} value */
export function valueText(value) {
  if (value === null || typeof value === "object") {
    return Array.isArray(value) ? value.map(formatRate).join(", ") : value ? "set" : "none";
  }
  if (typeof value === "boolean") {
    return value ? "on" : "off";
  }
  return typeof value === "number" ? formatRate(value) : String(value);
}
