/**
 * The line under the toolbar: what a control above the curve did, or why it did not.
 */

import { h, setText } from "../shared/dom.js";

/**
 * @param {(text: string) => void} announce
 * @param {AbortSignal} signal
 */
export function createNotice(announce, signal) {
  const element = h("span", { class: "lrw-note lrw-told", hook: "told" });

  /**
   * @param {string} text
   * @param {boolean} [failed]
   */
  function tell(text, failed = false) {
    if (!signal.aborted) {
      setText(element, text);
      element.classList.toggle("lrw-error", failed);
      announce(text);
    }
  }

  return {
    element,
    tell,
    clear: () => setText(element, ""),
    /** @param {() => Promise<string>} act Resolves with what it did. */
    async attempt(act) {
      try {
        tell(await act());
      } catch (error) {
        tell(/** @type {Error} */ (error).message, true);
      }
    },
  };
}
