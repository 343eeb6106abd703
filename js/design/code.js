/**
 * The schedule as the code that it exports, with the proof that it is the same curve.
 */

import { copyText } from "../shared/clipboard.js";
import { button, disclosure, setDisabled, uniqueId } from "../shared/controls.js";
import { h, setAttribute, setText } from "../shared/dom.js";
import { onAbort } from "../shared/listeners.js";

/**
 * `_code`
 *
 * @typedef {object} Code
 * @property {number} seq that of the design it was written for
 * @property {string} text
 * @property {"checking" | "equal" | "differs" | "failed"} state
 * @property {number | null} error relative to the peak
 * @property {string} message
 */

/**
 * @param {Code} code
 * @param {boolean} stale whether the curve has changed since
 * @returns {{text: string, tone: "waiting" | "ok" | "bad"}}
 */
export function proofOf({ state, error, message }, stale) {
  if (stale || state === "checking") {
    return { text: "checking…", tone: "waiting" };
  }
  const figure = error === null ? "" : error === 0 ? "0" : error.toExponential(0).replace("+", "");
  if (state === "equal") {
    return { text: `✓ equals the curve to ${figure || "the last digit"}`, tone: "ok" };
  }
  if (state === "differs") {
    return { text: `✗ differs by ${figure || "more than it may"} of the peak`, tone: "bad" };
  }
  return { text: `✗ ${message || "could not be checked"}`, tone: "bad" };
}

/**
 * @param {object} host
 * @param {() => boolean} host.isOpen
 * @param {(open: boolean) => void} host.setOpen
 * @param {(text: string) => void} host.announce
 * @param {AbortSignal} host.signal
 * @returns {{element: HTMLElement, update: (code: Code, stale: boolean) => void,
 *   showOpen: () => void, copy: (source: string, what?: string) => Promise<string>}} `copy` takes
 *   code of whatever framework, and resolves with what it did.
 */
export function createCodePane({ isOpen, setOpen, announce, signal }) {
  const id = uniqueId();
  const text = h("code", { hook: "code-text" });
  // Scrolled by the keyboard too, hence a stop for Tab.
  const block = h(
    "pre",
    { class: "lrw-code", id, tabindex: 0, role: "region", "aria-label": "code" },
    text,
  );
  const proof = h("span", {
    class: "lrw-proof",
    role: "status",
    hook: "code-proof",
  });
  const said = h("span", { class: "lrw-code-said" });
  const onClick = () => setOpen(!isOpen());
  const toggle = disclosure({ id, hook: "code-toggle", signal, onClick }, "Code");
  const copy = button({
    label: "Copy",
    name: "copy the code",
    hook: "code-copy",
    onClick: async () => announce(await copySource(shown, "")),
    signal,
  });
  let shown = "";
  let timer = 0;

  /**
   * @param {string} source
   * @param {string} [what]
   */
  async function copySource(source, what = "code") {
    let result = await copyText(source, null);
    if (signal.aborted) {
      return "";
    }
    if (result !== "copied") {
      // Only what is shown can be selected.
      setOpen(true);
      setText(text, source);
      result = await copyText(source, text);
    }
    const words = {
      copied: `${what} copied`.trim(),
      selected: "the clipboard is barred: selected, press Ctrl+C",
      failed: "the clipboard is barred: select the code and copy it",
    }[result];
    // In the place of the proof, so that nothing moves.
    setText(said, words);
    proof.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        setText(said, "");
        proof.hidden = false;
        setText(text, shown);
      },
      result === "copied" ? 2000 : 8000,
    );
    return words;
  }

  onAbort(signal, () => clearTimeout(timer));

  function showOpen() {
    const open = isOpen();
    block.hidden = !open;
    setAttribute(toggle, "aria-expanded", String(open));
  }

  showOpen();
  return {
    element: h(
      "div",
      { class: "lrw-code-pane" },
      h("div", { class: "lrw-code-head" }, toggle, proof, said, copy),
      block,
    ),
    showOpen,
    copy: copySource,
    update(code, stale) {
      if (code.text !== shown) {
        shown = code.text;
        setText(text, shown);
      }
      const found = proofOf(code, stale);
      setText(proof, found.text);
      setAttribute(proof, "data-tone", found.tone);
      setAttribute(proof, "title", code.message || null);
      setAttribute(block, "data-stale", stale ? "true" : null);
      setDisabled(copy, stale, "The code of what is drawn is on its way");
    },
  };
}
