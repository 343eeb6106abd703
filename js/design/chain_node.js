/**
 * The optimizer chain as plain data, and what can be done to it. Every edit takes the whole state
 * of a design and returns another: to move or to remove a link renames or drops the tracks that
 * bend its numbers.
 */

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {Readonly<Record<string, ScheduleNode>>} Tracks */

/**
 * Hyperparameters at their defaults may be left out. What JSON cannot hold is an object `{kept}`,
 * which only Python can read.
 *
 * @typedef {{link: string, hyperparameters: Readonly<Record<string, unknown>>}} LinkNode
 */

/**
 * A group is of parameters by `paths`, `kinds` or a `mask`; it takes the chain's update times
 * `multiplier`, or has `links` of its own.
 *
 * @typedef {object} GroupNode
 * @property {string} name
 * @property {readonly string[]} [paths]
 * @property {readonly string[]} [kinds]
 * @property {unknown} [mask]
 * @property {number} [multiplier]
 * @property {readonly LinkNode[]} [links]
 */

/** @typedef {{links: readonly LinkNode[], groups: readonly GroupNode[]}} ChainNode */
/** @typedef {{schedule: ScheduleNode, tracks: Tracks, chain: ChainNode | null}} State */
/** @typedef {number | null} Where a list of links: null is the main one, else that of a group */

/** Groups of the palette whose links choose the direction of the update. */
const OPTIMIZERS = ["Optimizers", "Learning-rate-free"];
/** Those whose links come before that: they change gradients, or go around what follows. */
const BEFORE = ["Gradients", "Around the rest"];

/** @param {string} group of the palette */
export const isOptimizer = (group) => OPTIMIZERS.includes(group);

/**
 * @param {ChainNode | null} chain
 * @param {Where} where
 * @returns {readonly LinkNode[]}
 */
export function linksOf(chain, where) {
  return (where === null ? chain?.links : chain?.groups[where]?.links) ?? [];
}

/**
 * @param {readonly LinkNode[]} links
 * @returns {string[]} the links' names, numbered from the second of a kind on
 */
export function labelsOf(links) {
  /** @type {Record<string, number>} */
  const seen = {};
  return links.map(({ link }) => {
    seen[link] = (seen[link] ?? 0) + 1;
    return seen[link] === 1 ? link : `${link}_${seen[link]}`;
  });
}

/**
 * @param {ChainNode | null} chain
 * @param {Where} where
 * @returns {string} what stands before the label in an address
 */
export function prefixOf(chain, where) {
  return where === null ? "" : `${chain?.groups[where].name}/`;
}

/**
 * @param {Tracks} tracks
 * @param {(name: string) => string | null} rename null drops the track
 * @returns {Tracks}
 */
function renamed(tracks, rename) {
  return Object.fromEntries(
    Object.entries(tracks).flatMap(([name, node]) => {
      const next = rename(name);
      return next === null ? [] : [[next, node]];
    }),
  );
}

/**
 * @param {ChainNode} chain
 * @param {number} index
 * @param {GroupNode} group
 * @returns {ChainNode}
 */
const replaceGroup = (chain, index, group) => ({
  ...chain,
  groups: chain.groups.with(index, group),
});

/**
 * @param {ChainNode} chain
 * @param {Where} where
 * @param {readonly LinkNode[]} links
 * @returns {ChainNode}
 */
function putLinks(chain, where, links) {
  return where === null
    ? { ...chain, links }
    : replaceGroup(chain, where, { ...chain.groups[where], links });
}

/**
 * A list in another order, with more or fewer links. A link that is in both is the same object.
 *
 * @param {State} state
 * @param {Where} where
 * @param {readonly LinkNode[]} links
 * @param {[LinkNode, LinkNode]} [replaced] one that went and the one that takes its tracks, as far
 *   as it is known to have such numbers
 * @returns {State}
 */
function withLinks(state, where, links, replaced) {
  const { chain, tracks } = state;
  if (!chain || (where === null && links.length === 0)) {
    return { ...state, tracks: {}, chain: null };
  }
  const before = linksOf(chain, where);
  const [old, now] = [labelsOf(before), labelsOf(links)];
  const prefix = prefixOf(chain, where);
  return {
    ...state,
    chain: putLinks(chain, where, links),
    tracks: renamed(tracks, (name) => {
      const [, own, label, parameter] = /** @type {string[]} */ (
        /^(.*\/)?(.*)\.(.*)$/.exec(name) ?? []
      );
      const i = old.indexOf(label);
      if ((own ?? "") !== prefix || i < 0) {
        return name;
      }
      const heir = replaced?.[0] === before[i] && parameter in replaced[1].hyperparameters;
      const j = links.indexOf(heir ? replaced[1] : before[i]);
      return j < 0 ? null : `${prefix}${now[j]}.${parameter}`;
    }),
  };
}

/**
 * Where in a list a link of a kind does its work, by the groups of the palette.
 *
 * @param {readonly LinkNode[]} links
 * @param {string} link
 * @param {(link: string) => string} groupOf
 * @returns {{at: number, replaces: boolean}} A list has one optimizer: another takes its place.
 */
export function placeFor(links, link, groupOf) {
  const optimizer = links.findIndex((each) => isOptimizer(groupOf(each.link)));
  const replaces = optimizer >= 0 && isOptimizer(groupOf(link));
  const early = optimizer >= 0 && BEFORE.includes(groupOf(link));
  return { at: replaces || early ? optimizer : links.length, replaces };
}

/**
 * @param {State} state
 * @param {Where} where
 * @param {LinkNode} link
 * @param {{at: number, replaces: boolean}} place
 * @returns {State}
 */
export function addLink(state, where, link, { at, replaces }) {
  const chain = state.chain ?? { links: [], groups: [] };
  const links = linksOf(chain, where);
  const next = links.toSpliced(at, replaces ? 1 : 0, link);
  return withLinks({ ...state, chain }, where, next, replaces ? [links[at], link] : undefined);
}

/**
 * @param {State} state
 * @param {Where} where
 * @param {number} index
 * @returns {State}
 */
export function removeLink(state, where, index) {
  return withLinks(state, where, linksOf(state.chain, where).toSpliced(index, 1));
}

/**
 * @param {State} state
 * @param {Where} where
 * @param {number} from
 * @param {number} to its index afterwards
 * @returns {State} the same where it stays
 */
export function moveLink(state, where, from, to) {
  const links = linksOf(state.chain, where);
  if (from === to || to < 0 || to >= links.length) {
    return state;
  }
  return withLinks(state, where, links.toSpliced(from, 1).toSpliced(to, 0, links[from]));
}

/**
 * @param {State} state
 * @param {Where} where
 * @param {number} index
 * @param {string} name
 * @param {unknown} value
 * @returns {State}
 */
export function setHyperparameter(state, where, index, name, value) {
  const { chain } = state;
  const links = linksOf(chain, where);
  const hyperparameters = { ...links[index].hyperparameters, [name]: value };
  const link = { ...links[index], hyperparameters };
  return chain ? { ...state, chain: putLinks(chain, where, links.with(index, link)) } : state;
}

/**
 * A new group, of the biases and at the chain's own rate: nothing changes until it is edited.
 *
 * @param {State} state
 * @returns {State}
 */
export function addGroup(state) {
  const { chain } = state;
  if (!chain) {
    return state;
  }
  const names = chain.groups.map(({ name }) => name);
  let [name, count] = ["group", 1];
  while (names.includes(name)) {
    count += 1;
    name = `group_${count}`;
  }
  const group = { name, kinds: ["bias"], multiplier: 1 };
  return { ...state, chain: { ...chain, groups: [...chain.groups, group] } };
}

/**
 * @param {State} state
 * @param {number} index
 * @returns {State}
 */
export function removeGroup(state, index) {
  const { chain, tracks } = state;
  const prefix = prefixOf(chain, index);
  return {
    ...state,
    chain: chain && { ...chain, groups: chain.groups.toSpliced(index, 1) },
    tracks: renamed(tracks, (name) => (name.startsWith(prefix) ? null : name)),
  };
}

/**
 * @param {State} state
 * @param {number} index
 * @param {Partial<GroupNode>} change Its tracks follow a new name.
 * @returns {State}
 */
export function changeGroup(state, index, change) {
  const { chain, tracks } = state;
  if (!chain) {
    return state;
  }
  const group = { ...chain.groups[index], ...change };
  const prefix = prefixOf(chain, index);
  return {
    ...state,
    chain: replaceGroup(chain, index, group),
    tracks: renamed(tracks, (name) =>
      name.startsWith(prefix) ? `${group.name}/${name.slice(prefix.length)}` : name,
    ),
  };
}

/**
 * @param {GroupNode} group
 * @returns {[by: string, match: string | null]} what it is given by, and how that is written
 */
export function matchOf({ paths, kinds = [], mask }) {
  return mask ? ["mask", null] : paths ? ["paths", paths.join(", ")] : ["kinds", kinds.join(", ")];
}

/**
 * @param {State} state
 * @param {number} index
 * @param {string} by `paths` or `kinds`
 * @param {readonly string[]} match
 * @returns {State}
 */
export function matchGroup(state, index, by, match) {
  return changeGroup(state, index, {
    paths: undefined,
    kinds: undefined,
    mask: undefined,
    [by]: match,
  });
}

/**
 * A chain of a group's own begins as what the others have, from the optimizer on and with the same
 * curves; a multiplier begins at one.
 *
 * @param {State} state
 * @param {number} index
 * @param {boolean} own
 * @param {object} known
 * @param {(link: string) => string} known.groupOf
 * @param {(link: LinkNode) => string | null} known.rateOf which of its numbers the curve is
 * @returns {State}
 */
export function giveChain(state, index, own, { groupOf, rateOf }) {
  const { chain, schedule, tracks } = state;
  if (!chain) {
    return state;
  }
  const prefix = prefixOf(chain, index);
  const kept = renamed(tracks, (name) => (name.startsWith(prefix) ? null : name));
  if (!own) {
    const group = { ...chain.groups[index], links: undefined, multiplier: 1 };
    return { ...state, chain: replaceGroup(chain, index, group), tracks: kept };
  }
  const first = chain.links.findIndex(({ link }) => isOptimizer(groupOf(link)));
  const links = chain.links.slice(Math.max(0, first));
  const [main, labels] = [labelsOf(chain.links).slice(-links.length), labelsOf(links)];
  /** @type {Record<string, ScheduleNode>} */
  const copies = {};
  const rate = links.findIndex((link) => rateOf(link));
  const curve = rate < 0 ? {} : { [`${main[rate]}.${rateOf(links[rate])}`]: schedule };
  for (const [name, node] of Object.entries({ ...curve, ...tracks })) {
    const [label, parameter] = name.split(".");
    if (main.includes(label)) {
      copies[`${prefix}${labels[main.indexOf(label)]}.${parameter}`] = node;
    }
  }
  const group = { ...chain.groups[index], multiplier: undefined, links };
  return {
    ...state,
    chain: replaceGroup(chain, index, group),
    tracks: { ...kept, ...copies },
  };
}
