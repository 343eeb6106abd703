/**
 * Tabs after the ARIA pattern: one stop for Tab, arrows, Home and End move and choose. A panel
 * is built when it is first shown.
 */

import { button, uniqueId } from "../shared/controls.js";
import { h, setAttribute } from "../shared/dom.js";

/**
 * @typedef {object} TabSpec
 * @property {string} name
 * @property {string} title
 * @property {() => HTMLElement} build
 */

/**
 * @param {object} options
 * @param {string} options.label
 * @param {TabSpec[]} options.tabs
 * @param {string} options.chosen
 * @param {(name: string) => void} options.onChange
 * @param {AbortSignal} options.signal
 * @returns {{list: HTMLElement, panels: HTMLElement, show: (name: string) => void}}
 */
export function createTabs({ label, tabs, chosen, onChange, signal }) {
  let current = "";
  const entries = tabs.map((spec, index) => {
    const tab = button({
      label: spec.title,
      hook: `tab-${spec.name}`,
      kind: "quiet",
      signal,
      onClick: () => choose(spec.name),
    });
    const id = uniqueId();
    tab.id = uniqueId();
    tab.classList.add("lrw-tab");
    setAttribute(tab, "role", "tab");
    setAttribute(tab, "aria-controls", id);
    tab.addEventListener(
      "keydown",
      (event) => {
        const target = {
          ArrowRight: (index + 1) % tabs.length,
          ArrowLeft: (index - 1 + tabs.length) % tabs.length,
          Home: 0,
          End: tabs.length - 1,
        }[event.key];
        if (target !== undefined) {
          event.preventDefault();
          choose(tabs[target].name);
          entries[target].tab.focus();
        }
      },
      { signal },
    );
    const panel = h("div", {
      class: "lrw-tabpanel",
      id,
      role: "tabpanel",
      "aria-labelledby": tab.id,
      hidden: true,
    });
    return { spec, tab, panel, built: false };
  });

  /** @param {string} name */
  function show(name) {
    if (name === current || !tabs.some((spec) => spec.name === name)) {
      return;
    }
    current = name;
    for (const entry of entries) {
      const on = entry.spec.name === name;
      setAttribute(entry.tab, "aria-selected", String(on));
      setAttribute(entry.tab, "tabindex", on ? "0" : "-1");
      setAttribute(entry.panel, "hidden", !on);
      if (on && !entry.built) {
        entry.built = true;
        entry.panel.append(entry.spec.build());
      }
    }
  }

  /** @param {string} name */
  function choose(name) {
    if (name !== current) {
      const leaving = entries.some(({ panel }) => panel.matches(":focus-within"));
      show(name);
      // A button may show another panel: the focus must not vanish with the one that it was in.
      if (leaving) {
        entries.find(({ spec }) => spec.name === name)?.tab.focus();
      }
      onChange(name);
    }
  }

  show(tabs.some((spec) => spec.name === chosen) ? chosen : tabs[0].name);
  return {
    list: h(
      "div",
      { class: "lrw-tabs", role: "tablist", "aria-label": label, hidden: tabs.length < 2 },
      ...entries.map((entry) => entry.tab),
    ),
    panels: h("div", { class: "lrw-panels" }, ...entries.map((entry) => entry.panel)),
    show: choose,
  };
}
