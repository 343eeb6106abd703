/**
 * Copying that also works where the clipboard is barred (plain http, some VS Code views).
 */

/**
 * Copy text; where the browser forbids it, select the shown text so that Ctrl+C takes it.
 *
 * @param {string} text
 * @param {HTMLElement | null} shown The element that shows the same text.
 * @returns {Promise<"copied" | "selected" | "failed">}
 */
export async function copyText(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    const selection = shown?.ownerDocument.defaultView?.getSelection();
    if (!shown || !selection) {
      return "failed";
    }
    selection.selectAllChildren(shown);
    return "selected";
  }
}
