/**
 * The other tracks behind the curve: thin lines on the same steps, each with its name and a
 * height of its own.
 */

import { evaluate, peak } from "../schedule/model.js";
import { setAttribute, setText, svg } from "../shared/dom.js";
import { heldPath, pastPath, wholePath } from "./paths.js";
import { createScale } from "./scales.js";

/** @typedef {{name: string, node: import("../schedule/model.js").ScheduleNode, label: string}} Track */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {ArrayLike<number>} step
 * @property {ArrayLike<number>} value
 * @property {string} [look] Classes of a line that is not like the others.
 * @property {boolean} [free] The axis need not show all of it.
 */

/** Pixels from the line of one name to that of the next. */
const LINE = 13;
/** About so many pixels has a letter of a name. */
const LETTER = 6;
/** Colours of the series beside the first, which is the curve's own. */
const COLOURS = 6;

/**
 * Heights at which names do not lie over each other, each as near to its own as there is room.
 *
 * @param {number[]} wanted
 * @param {number} top
 * @param {number} bottom
 * @returns {number[]} in the order of `wanted`
 */
export function spread(wanted, top, bottom) {
  const placed = [...wanted];
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  let least = top;
  for (const i of order) {
    placed[i] = Math.max(wanted[i], least);
    least = placed[i] + LINE;
  }
  let most = bottom;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i], most);
    most = placed[i] - LINE;
  }
  return placed;
}

/**
 * @param {import("./scales.js").Scale} y
 * @param {{top: number, bottom: number}} box
 * @returns {import("./scales.js").Scale} what is beyond stays at the edge
 */
function within(y, { top, bottom }) {
  return { ...y, pixel: (value) => Math.max(top, Math.min(bottom, y.pixel(value))) };
}

/**
 * @param {SVGGElement} group
 * @returns {(tracks: Track[], lines: Line[], view: import("./surface.js").View) => void} Lines are on
 *   the scale of the curve itself, and dashed.
 */
export function createTrackLines(group) {
  return (tracks, lines, { x, y, box }) => {
    const drawn = [
      ...tracks.map(({ node, label }, i) => {
        // A track of zeros lies at the foot.
        const scale = createScale({
          domain: [0, peak(node) * 1.08 || 1],
          range: [box.bottom, box.top],
        });
        return {
          label,
          data: wholePath(node, x, scale) + heldPath(node, x, scale),
          end: scale.pixel(evaluate(node, x.high)),
          right: box.right,
          own: `lrw-track-${i % COLOURS}`,
        };
      }),
      ...lines.map(({ label, step, value, look, free }, i) => ({
        label,
        data: pastPath({ step, value }, x, free ? within(y, box) : y),
        end: y.pixel(value[value.length - 1]),
        // Behind the end of the line, as long as there is room.
        right: Math.min(box.right, x.pixel(step[step.length - 1]) + 10 + LETTER * label.length),
        own: look ?? `lrw-track-${(tracks.length + i) % COLOURS} lrw-effective`,
      })),
    ];
    while (group.childElementCount > drawn.length) {
      group.lastElementChild?.remove();
    }
    // Below the readout, which stands in the corner. What has no name needs no room for one.
    const heights = spread(
      drawn.filter(({ label }) => label).map(({ end }) => end - 4),
      box.top + 3 * LINE,
      box.bottom - 14,
    );
    // Lines without a name follow those with one.
    for (const [i, { label, data, right, own }] of drawn.entries()) {
      const line =
        group.children[i] ??
        group.appendChild(svg("g", null, svg("path"), svg("text", { class: "lrw-track-name" })));
      const [path, text] = line.children;
      setAttribute(line, "class", `lrw-track ${own}`);
      setAttribute(path, "d", data);
      setAttribute(text, "x", right - 4);
      setAttribute(text, "y", heights[i]?.toFixed(1));
      setText(text, label);
    }
  };
}
