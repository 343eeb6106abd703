/**
 * The links that there are, to be searched and taken.
 */

import { matches, searchMenu } from "../shared/search_menu.js";
import { isOptimizer } from "./chain_node.js";

/**
 * @typedef {object} LinkDeclaration
 * @property {string} name
 * @property {string} help
 * @property {string} category
 * @property {string} group
 * @property {Record<string, unknown>} hyperparameters those that Optax requires, to begin with
 */

/**
 * @param {object} host
 * @param {LinkDeclaration[]} host.links
 * @param {() => string | null} host.replaced the label of the link whose place an optimizer takes
 * @param {(link: LinkDeclaration) => void} host.choose
 * @param {string} host.hook
 * @param {string} host.name
 * @param {AbortSignal} host.signal
 * @returns {HTMLElement}
 */
export function createPalette({ links, replaced, choose, ...options }) {
  return searchMenu({
    ...options,
    label: "+ link",
    what: "links",
    search: "chain-search",
    class: "lrw-gallery lrw-palette",
    items(text) {
      const old = replaced();
      return found(links, text).map((link) => ({
        label: link.name,
        title: link.help,
        group: old && isOptimizer(link.group) ? `${link.group}, in place of ${old}` : link.group,
        hook: `chain-pick-${link.name}`,
        onClick: () => choose(link),
      }));
    },
  });
}

/**
 * @param {LinkDeclaration[]} links
 * @param {string} text
 * @returns {LinkDeclaration[]} the one of that name first, then those whose names begin with it
 */
export function found(links, text) {
  const typed = text.toLowerCase().replaceAll(" ", "_");
  const nearness = (/** @type {LinkDeclaration} */ { name }) =>
    Number(name === typed) + Number(name.startsWith(typed));
  return links
    .filter(({ name, help, group }) =>
      matches([name, name.replaceAll("_", " "), help, group], text),
    )
    .sort((a, b) => nearness(b) - nearness(a));
}
