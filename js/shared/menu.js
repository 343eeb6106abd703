/**
 * A button that opens a list of commands over everything else. The browser itself closes it with
 * Escape or with a click elsewhere, and gives the focus back.
 */

import { button } from "./controls.js";
import { clear, h, UNSEEN } from "./dom.js";

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {() => void} onClick
 * @property {string} [hook] `data-lrw`
 * @property {string} [title]
 * @property {Node | string} [detail] stands beside the label
 * @property {string} [group] Those of one group follow each other, under its name.
 */

/**
 * The item to which a key moves the focus, among some that flow in rows.
 *
 * @param {{offsetLeft: number, offsetTop: number}[]} items
 * @param {number} from its index; -1 is before the first
 * @param {string} key
 * @returns {number} -1 where the key means nothing here
 */
export function nextItem(items, from, key) {
  const last = items.length - 1;
  if (from < 0) {
    return key === "ArrowDown" ? Math.min(0, last) : -1;
  }
  const direction = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!direction) {
    const to = { Home: 0, End: last, ArrowLeft: from - 1, ArrowRight: from + 1 }[key] ?? -1;
    return Math.min(to, last);
  }
  const { offsetLeft, offsetTop } = items[from];
  // The nearest row that way, and in it the nearest item.
  const distances = items.map((item) => {
    const rows = direction * (item.offsetTop - offsetTop);
    return rows > 0
      ? 1e4 * rows + Math.abs(item.offsetLeft - offsetLeft)
      : Number.POSITIVE_INFINITY;
  });
  const least = Math.min(...distances);
  return Number.isFinite(least) ? distances.indexOf(least) : from;
}

/**
 * @param {object} options
 * @param {string} options.label
 * @param {string} [options.name] accessible name where the label alone does not say enough
 * @param {string} [options.hook] `data-lrw` of the button
 * @param {(opening: boolean) => MenuItem[]} options.items asked whenever it opens
 * @param {HTMLElement} [options.head] before the commands, where the arrows lead to the first
 * @param {HTMLElement} [options.foot] after them
 * @param {string} [options.class] of what opens
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, close: () => void, refresh: () => void}} `refresh` asks for the
 *   items again
 */
export function menu({ label, name = label, hook, items, head, foot, signal, ...style }) {
  /** @type {{item: MenuItem, element: HTMLElement}[]} */
  let shown = [];
  const list = h("div", { role: "menu", "aria-label": name });
  const panel = h(
    "div",
    {
      class: `lrw-menu ${style.class ?? ""}`,
      popover: "auto",
      signal,
      on: { beforetoggle, focusout, keydown, click },
    },
    head,
    list,
    foot,
  );
  const trigger = button({ label: `${label} ▾`, name, hook, onClick() {}, signal });
  trigger.popoverTargetElement = panel;
  trigger.setAttribute("aria-haspopup", "menu");

  function refresh(opening = false) {
    clear(list);
    let group = list;
    shown = items(opening).map((item, i) => {
      if (item.group && group.ariaLabel !== item.group) {
        group = h("div", { role: "group", "aria-label": item.group });
        list.append(h("div", { class: "lrw-label", ...UNSEEN }, item.group), group);
      }
      const element = h(
        "button",
        {
          type: "button",
          role: "menuitem",
          class: "lrw-menu-item",
          tabindex: i && -1,
          autofocus: !i,
          title: item.title,
          hook: item.hook,
        },
        item.detail,
        item.label,
      );
      group.append(element);
      return { item, element };
    });
    if (shown.length === 0) {
      list.append(h("p", { class: "lrw-label" }, "nothing found"));
    }
  }

  /** @param {ToggleEvent} event */
  function beforetoggle({ newState }) {
    if (newState === "open") {
      const { left, bottom } = trigger.getBoundingClientRect();
      panel.style.setProperty("--lrw-left", `${left}px`);
      panel.style.setProperty("--lrw-top", `${bottom}px`);
      refresh(true);
    }
  }

  /** @param {FocusEvent} event */
  function focusout({ relatedTarget }) {
    if (relatedTarget && !panel.contains(/** @type {Node} */ (relatedTarget))) {
      panel.hidePopover();
    }
  }

  /** @param {Event} event */
  const indexAt = ({ target }) =>
    shown.findIndex(({ element }) => element.contains(/** @type {Node} */ (target)));

  /** @param {KeyboardEvent} event */
  function keydown(event) {
    const from = indexAt(event);
    const next =
      shown[
        nextItem(
          shown.map(({ element }) => element),
          from,
          event.key,
        )
      ];
    if (next) {
      event.preventDefault();
      (shown[from] ?? shown[0]).element.tabIndex = -1;
      next.element.tabIndex = 0;
      next.element.focus();
    }
  }

  /** @param {Event} event */
  function click(event) {
    const chosen = shown[indexAt(event)];
    if (chosen) {
      // First, so that the focus is back at the button before anything else happens.
      panel.hidePopover();
      chosen.item.onClick();
    }
  }

  return {
    element: h("span", null, trigger, panel),
    close: () => panel.hidePopover(),
    refresh,
  };
}
