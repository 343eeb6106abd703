/**
 * Keeps JupyterLab's own keys away from what is typed in a widget.
 */

/**
 * JupyterLab looks for its shortcuts before any listener of a widget hears the key, and its
 * command mode matches the focused element itself: "m" on a button would turn the whole cell into
 * text. It leaves alone what carries this attribute, on the very element.
 */
const LEFT_ALONE = "data-lm-suppress-shortcuts";

/**
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepKeys(root, signal) {
  /** @param {KeyboardEvent} event */
  const mark = (event) => {
    const [target] = event.composedPath();
    if (target instanceof Element && root.contains(target)) {
      // Saving is still the notebook's.
      const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
      target.toggleAttribute(LEFT_ALONE, !saves);
    }
  };
  // On the window, which hears a key before the document, where JupyterLab listens.
  window.addEventListener("keydown", mark, { capture: true, signal });
}
