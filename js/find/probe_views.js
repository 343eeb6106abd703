/**
 * What shows the probes: their plot under the sweep, the list of their rates, and the fan. What
 * the pointer or the focus is at in one of them stands out in all.
 */

import { h } from "../shared/dom.js";
import { formatRate } from "../shared/format.js";
import { createProbeFan } from "./probe_fan.js";
import { createProbeList } from "./probe_list.js";
import { createProbePlot } from "./probe_plot.js";
import { NO_PROBES } from "./probes.js";

/** @typedef {import("../shared/traits.js").FindState} FindState */

/**
 * @param {object} options
 * @param {import("../shared/crosshair.js").Crosshair} options.cross
 * @param {import("../shared/theme.js").Theme} options.theme
 * @param {(rate: number) => void} options.onPick
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, fan: HTMLElement, list: HTMLElement,
 *   allow: (find: FindState, why: string | null) => void,
 *   update: (probes: import("./probes.js").Probes, find: FindState,
 *     range: [number, number]) => void}} `why` no rate can be taken just now
 */
export function createProbeViews({ cross, theme, onPick, signal }) {
  /** @type {string | null} */
  let lit = null;
  let runs = NO_PROBES.runs;
  const options = {
    lit: () => lit,
    onPick,
    /** @param {number | null} rate */
    onLight(rate) {
      const next = rate === null ? null : formatRate(rate);
      if (next !== lit) {
        lit = next;
        plot.redraw();
        fan.redraw();
      }
    },
    theme,
    signal,
  };
  const plot = createProbePlot({ ...options, cross });
  const fan = createProbeFan(options);
  const list = createProbeList(options);

  return {
    element: h("div", { class: "lrw-probes" }, plot.head, plot.element),
    fan: fan.element,
    list: list.element,
    allow: (find, why) => list.update(runs, find.settings.from, why),
    update(probes, find, range) {
      runs = probes.runs;
      plot.update(probes, find, range);
      fan.update(probes, find);
    },
  };
}
