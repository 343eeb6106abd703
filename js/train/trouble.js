/**
 * What went wrong with the run, and what to do next.
 */

import { button, createNote, setLabel } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { formatSteps, sentence } from "../shared/format.js";
import { gate, isWaiting, whyBound, whyOff } from "./gates.js";
import { reasonText } from "./moment.js";

/** @typedef {ReturnType<typeof import("../shared/traits.js").readTrain>} Train */

/**
 * @param {Pick<Train, "state" | "error" | "step" | "notice" | "guard" | "able">} train
 * @returns {{title: string, text: string, next: string} | null}
 */
export function troubleOf({ state, error, step, notice, guard, able }) {
  const back = able.includes("rewind")
    ? "Rewind and bend the rest of the curve; or lower"
    : "Lower";
  if (state === "diverged") {
    return {
      title: `Diverged at step ${formatSteps(step - 1)}`,
      text: causeOf(error),
      next: `${back} the peak or lengthen the warmup in Design, then press Restart.`,
    };
  }
  if (state === "failed") {
    return {
      title: `Failed at step ${formatSteps(step)}`,
      text: sentence(error),
      next: "Mend the cause and run the cell of the widget again; or, if it has passed, rewind and resume.",
    };
  }
  if (state === "paused" && guard === "pauses" && notice?.startsWith("diverged")) {
    return {
      title: sentence(notice),
      text: causeOf(error),
      next: "Rewind and bend the rest of the curve, or resume as it is.",
    };
  }
  return error ? { title: "", text: sentence(error), next: "" } : null;
}

/**
 * What went wrong without the advice behind it: here it is that of `next`.
 *
 * @param {string | null} error
 */
function causeOf(error) {
  return sentence(error).replace(/(: [^:]*)?$/, ".");
}

/**
 * Where to go back to from a trouble: the newest snapshot before it, and the best one. What failed
 * was no step yet: all that was taken is good.
 *
 * @param {Pick<Train, "snapshots" | "best" | "step" | "state">} train
 * @returns {import("../shared/traits.js").SnapshotState[]} at most two
 */
export function waysBack({ snapshots, best, step, state }) {
  // One that was kept at the very end may hold what went wrong.
  const before = snapshots.filter((each) => each.step < step && each.reason !== "end");
  const last = state === "failed" ? { step, reason: "last" } : (before.at(-1) ?? snapshots[0]);
  const good = before.find((each) => each.step === best?.step);
  return [...new Set([last, good])].filter((each) => each !== undefined);
}

/**
 * @param {object} options
 * @param {import("./commands.js").Send} options.send
 * @param {() => Train} options.train
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, update: (train: Train, reachable: boolean) => void}}
 */
export function createTrouble({ send, train, signal }) {
  const note = createNote();
  const title = h("strong");
  const text = h("span", { class: "lrw-trouble-text" });
  const next = h("span");
  const found = h("p", { class: "lrw-trouble-found", hidden: true, role: "status" });
  const trace = h("pre", { class: "lrw-script", tabindex: "0", "aria-label": "Traceback" });
  // Its last lines say the most.
  const toEnd = () => trace.scrollTo(0, trace.scrollHeight);
  const details = h(
    "details",
    { hook: "traceback", signal, on: { toggle: toEnd } },
    h("summary", null, "Traceback"),
    trace,
  );

  const back = ["trouble-rewind", "trouble-rewind-best"].map((hook, i) => {
    /** @type {HTMLButtonElement} */
    const element = button({
      label: "Rewind",
      hook,
      kind: i ? "plain" : "primary",
      signal,
      onClick() {
        const to = waysBack(train())[i];
        if (to) {
          send(
            "train.rewind",
            { step: to.step },
            { waiting: "rewinding…", note, control: element },
          );
        }
      },
    });
    return element;
  });
  const diagnose = button({
    label: "Diagnose",
    hook: "diagnose",
    title: "Replays the steps before it, one by one, and names the operation at fault",
    signal,
    onClick: look,
  });
  const actions = h("div", { class: "lrw-row" }, ...back, diagnose, note.element);
  const element = h(
    "div",
    { class: "lrw-trouble", hook: "trouble", role: "alert", hidden: true },
    title,
    text,
    next,
    found,
    actions,
    details,
  );
  let of = "";

  async function look() {
    const answer = await send(
      "train.diagnose",
      {},
      { waiting: "replaying the last steps…", note, control: diagnose },
    );
    if (answer !== null && !signal.aborted) {
      setText(found, `Diagnosis: ${answer.value?.message}`);
      found.hidden = false;
    }
  }

  return {
    element,
    update(now, reachable) {
      const trouble = troubleOf(now);
      setAttribute(element, "hidden", trouble === null);
      const key = `${now.run} ${now.state} ${now.step}`;
      if (key !== of) {
        of = key;
        found.hidden = true;
      }
      setText(title, trouble?.title ?? "");
      setText(text, trouble?.text ?? "");
      setText(next, trouble?.next ?? "");
      setText(trace, now.traceback ?? "");
      details.hidden = now.traceback === null;

      const bound = whyBound(now, reachable);
      const serious = trouble !== null && trouble.title !== "";
      const ways = serious && now.able.includes("rewind") ? waysBack(now) : [];
      for (const [i, control] of back.entries()) {
        const way = ways[i];
        control.hidden = way === undefined;
        if (way && !isWaiting(control)) {
          setLabel(control, `Rewind to ${formatSteps(way.step)}${i ? ", the best" : ""}`);
          gate(control, bound);
          if (bound === null) {
            setAttribute(control, "title", reasonText(way, now));
          }
        }
      }
      const replays = now.state !== "failed" && now.able.includes("diagnose");
      diagnose.hidden = !(serious && replays);
      gate(diagnose, whyOff(now, reachable));
      actions.hidden = diagnose.hidden && ways.length === 0;
    },
  };
}
