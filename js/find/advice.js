/**
 * The advice as a card: a rate to use, or why there is none.
 */

import { button, setLabel } from "../shared/controls.js";
import { clear, h, setAttribute, setText, UNSEEN } from "../shared/dom.js";
import { formatRate, sentence } from "../shared/format.js";
import { offer } from "./picking.js";
import {
  aimOf,
  betweenOf,
  costOf,
  dotsOf,
  effectOf,
  formatShort,
  stageOf,
  titleOf,
} from "./words.js";

/** @typedef {import("../shared/traits.js").FindState} FindState */

/**
 * @param {object} options
 * @param {(rate: number) => void} options.onUse
 * @param {AbortSignal} options.signal
 * @returns {{element: HTMLElement, use: HTMLElement,
 *   update: (find: FindState, why: string | null) => void}} `why` the advice cannot be taken
 */
export function createAdvice({ onUse, signal }) {
  /** @type {number | null} */
  let rate = null;
  const title = h("strong", { class: "lrw-advice-title" });
  const between = h("span", { class: "lrw-advice-between" });
  const dots = h("span", { class: "lrw-advice-dots", ...UNSEEN });
  const sure = h("span");
  const use = button({
    label: "Use this",
    kind: "primary",
    hook: "advice-use",
    signal,
    onClick: () => rate !== null && onUse(rate),
  });
  const fill = h("div", { class: "lrw-progress-fill" });
  const bar = h("div", { class: "lrw-progress", ...UNSEEN }, fill);
  const stage = h("p", { class: "lrw-note lrw-advice-stage" });
  const reasons = h("ul", { class: "lrw-reasons", hook: "advice-reasons" });
  const refused = h("p", { class: "lrw-refusal-why" });
  const remedy = h("p", { class: "lrw-refusal-remedy" });
  // Always in the page, so that what appears in it is read out.
  const refusal = h("div", { hook: "advice-refused", role: "status" }, refused, remedy);
  const failure = h("p", { class: "lrw-error lrw-advice-failure", role: "alert" });
  const foot = h("p", { class: "lrw-note" });
  const safe = h("summary");
  const meaning = h("p", { class: "lrw-note" });
  const curvature = h("details", { class: "lrw-advice-more" }, safe, meaning);
  const element = h(
    "section",
    { class: "lrw-advice", hook: "advice", "aria-label": "Advice" },
    h(
      "div",
      { class: "lrw-advice-head" },
      title,
      h("span", { class: "lrw-advice-about" }, between, h("span", null, dots, sure)),
      use,
    ),
    bar,
    stage,
    reasons,
    refusal,
    failure,
    foot,
    curvature,
  );
  let listed = "";

  return {
    element,
    use,
    update(find, why) {
      const { advice, settings } = find;
      element.hidden = advice === null;
      if (advice === null) {
        return;
      }
      const { state } = advice;
      const here = settings.from === "here";
      const running = state === "running";
      const stopping = running && find.stopping;
      element.dataset.state = state;
      setText(title, stopping ? "Stopping…" : titleOf(advice));
      rate = state === "advised" ? advice.learning_rate : null;
      setText(between, rate === null ? "" : betweenOf(advice));
      setText(dots, rate === null ? "" : `${dotsOf(advice.sure)} `);
      setText(sure, rate === null ? "" : (advice.sure ?? ""));
      // Its room is kept: the head must not grow when the advice is there.
      use.style.visibility = rate === null ? "hidden" : "visible";
      const label = here ? "Use this from here" : "Use this";
      setLabel(use, label);
      const what = effectOf(settings.from);
      setAttribute(
        use,
        "aria-label",
        rate === null ? null : `${label}: ${formatRate(rate)}; ${what}`,
      );
      offer(use, what, why);

      bar.style.visibility = running ? "visible" : "hidden";
      fill.style.transform = `scaleX(${running ? advice.share : 0})`;
      setText(stage, stageOf(find));
      stage.classList.toggle("lrw-outdated", !running && find.outdated !== null);
      const key = JSON.stringify(advice.reasons);
      if (key !== listed) {
        listed = key;
        clear(reasons).append(...advice.reasons.map((text) => h("li", null, text)));
      }
      reasons.hidden = advice.reasons.length === 0;
      const refuses = state === "refused";
      setText(refused, refuses ? `${sentence(advice.refused ?? "no reason is known")}.` : "");
      setText(
        remedy,
        state === "stopped"
          ? "What was found until then stays. Find again for an advice."
          : refuses && advice.remedy
            ? `What would help: ${advice.remedy}.`
            : "",
      );
      setText(failure, state === "failed" ? (advice.error ?? "No reason is known.") : "");
      const safeRate = find.curvature?.safe_up_to ?? null;
      curvature.hidden = running || safeRate === null;
      setText(safe, `What “safe up to ${formatShort(safeRate ?? Number.NaN)}” means`);
      setText(meaning, find.curvature?.meaning ?? "");
      setText(
        foot,
        stopping
          ? ""
          : running
            ? "Your schedule is run for real at several rates, compressed to few steps. The best go on for longer, until the budget is used. Then a rate stands here, with its range and the reasons."
            : `${rate === null ? "" : `${aimOf(advice, settings.from)} `}${costOf(find.gradient_steps, advice.gradient_steps)}`,
      );
    },
  };
}
