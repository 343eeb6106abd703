/**
 * The runs that left this one: each with its line's look, its newest loss, and what can be done
 * with it.
 */

import { createNote, quietLabel, textField } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatLoss, formatSteps } from "../shared/format.js";
import { menu } from "../shared/menu.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */
/** @typedef {import("../shared/traits.js").ForkState} ForkState */

/**
 * @param {ForkState} fork
 * @param {ForkState[]} all
 * @returns {string} how far it is
 */
export function forkText({ step, state, position, total, parent }, all) {
  const from =
    parent === null ? "" : ` of ${all.find(({ id }) => id === parent)?.name ?? "a fork"}`;
  const left = `left${from} at ${formatSteps(step)}`;
  return state === "running" || state === "compiling"
    ? `${left}, training ${formatSteps(position)} / ${formatSteps(total)}`
    : `${left}, ${state} at ${formatSteps(position)}`;
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {(id: string) => number} options.slotOf
 * @param {(slot: number) => Element} options.swatch
 * @param {(text: string) => void} options.announce
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train) => void}}
 */
export function createForks({ send, train, slotOf, swatch, announce, signal }) {
  const note = createNote();
  const list = h("span", { class: "lrw-row lrw-fork-list" });
  const element = h(
    "div",
    { class: "lrw-forks", role: "group", "aria-label": "Forks of the run", hidden: true },
    quietLabel("forks"),
    list,
    note.element,
  );
  /** @typedef {{element: HTMLElement, update: (fork: ForkState) => void,
   *   remove: () => void}} Chip */
  /** @type {Map<string, Chip>} */
  const chips = new Map();

  /**
   * @param {string} id
   * @returns {Chip}
   */
  function makeChip(id) {
    const own = new AbortController();
    signal.addEventListener("abort", () => own.abort(), { once: true, signal: own.signal });
    const name = () => train().forks.find((fork) => fork.id === id)?.name ?? "the fork";
    const rename = textField({
      label: "name",
      hook: `fork-name-${id}`,
      signal: own.signal,
      commitOnBlur: false,
      async onCommit(text) {
        const answer = await send(
          "train.name",
          { fork: id, name: text },
          { waiting: "naming…", note },
        );
        if (answer !== null) {
          opens.close();
        }
      },
    });
    const where = h("p", { class: "lrw-note lrw-fork-text" });
    const opens = menu({
      label: "",
      name: "fork",
      hook: `fork-${id}`,
      head: where,
      class: "lrw-fork-menu",
      foot: h("div", { class: "lrw-fork-rename" }, rename.element),
      signal: own.signal,
      items: () => {
        rename.reset(/** @type {any} */ (name()));
        return [
          {
            label: "Take: the run goes on as this one",
            hook: `fork-take-${id}`,
            async onClick() {
              const taken = name();
              const answer = await send(
                "train.take",
                { fork: id },
                { waiting: `taking ${taken}…`, note },
              );
              if (answer !== null) {
                announce(`The run goes on as ${taken}, from step ${answer.value?.step ?? ""}.`);
              }
            },
          },
          {
            label: "Drop it",
            hook: `fork-drop-${id}`,
            onClick: () => send("train.drop", { fork: id }, { waiting: "dropping…", note }),
          },
        ];
      },
    });
    const trigger = /** @type {HTMLButtonElement} */ (opens.element.querySelector("button"));
    const loss = h("span", { class: "lrw-fork-loss" });
    // Its name is what can be read on it.
    trigger.removeAttribute("aria-label");
    trigger.prepend(swatch(slotOf(id)));
    trigger.append(loss, " ▾");
    return {
      element: opens.element,
      update(fork) {
        const text = forkText(fork, train().forks);
        const label = trigger.children[1];
        setText(label, fork.name);
        setText(loss, formatLoss(fork.loss));
        setText(where, text);
        setAttribute(trigger, "title", text);
        trigger.dataset.state = fork.state;
      },
      remove() {
        own.abort();
        opens.element.remove();
      },
    };
  }

  return {
    element,
    update({ forks }) {
      for (const [id, chip] of [...chips]) {
        if (!forks.some((fork) => fork.id === id)) {
          chip.remove();
          chips.delete(id);
        }
      }
      for (const fork of forks) {
        let chip = chips.get(fork.id);
        if (!chip) {
          chip = makeChip(fork.id);
          chips.set(fork.id, chip);
          list.append(chip.element);
        }
        chip.update(fork);
      }
      element.hidden = forks.length === 0;
    },
  };
}
