/**
 * The presets as small pictures: what a schedule can begin with.
 */

import { svg } from "../shared/dom.js";
import { matches, searchMenu } from "../shared/search_menu.js";

/** @typedef {import("../schedule/model.js").Catalogue["presets"][number]} Preset */

const [WIDTH, HEIGHT] = [96, 32];

/**
 * @param {number[]} picture heights from 0 to 1
 * @returns {string} an SVG path over the whole width
 */
export function picturePath(picture) {
  const along = WIDTH / (picture.length - 1);
  const points = picture.map((y, i) => [i * along, (1 - y) * HEIGHT]);
  return `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
}

/**
 * @param {object} host
 * @param {Preset[]} host.presets
 * @param {(preset: Preset) => void} host.choose
 * @param {AbortSignal} host.signal
 * @returns {HTMLElement}
 */
export function createGallery({ presets, choose, signal }) {
  return searchMenu({
    label: "Preset",
    hook: "gallery",
    what: "presets",
    search: "gallery-search",
    class: "lrw-gallery",
    items: (text) =>
      presets
        .filter(({ name, title, help, group }) => matches([name, title, help, group], text))
        .map((preset) => ({
          label: preset.title,
          title: preset.help,
          group: preset.group,
          hook: `preset-${preset.name}`,
          detail:
            preset.picture &&
            svg(
              "svg",
              { viewBox: `-2 -3 ${WIDTH + 4} ${HEIGHT + 6}` },
              svg("path", { d: picturePath(preset.picture) }),
            ),
          onClick: () => choose(preset),
        })),
    signal,
  });
}
