/**
 * The entry that anywidget loads: once for each model, hence a function whose closure holds what
 * belongs to that model.
 */

import { createHub } from "./frame/hub.js";
import { createView } from "./frame/view.js";
import { onAbort } from "./shared/listeners.js";

/** @typedef {import("./shared/protocol.js").Model} Model */

export default () => {
  /** @type {import("./frame/hub.js").Hub | null} */
  let hub = null;

  /** @param {AbortSignal | undefined} signal anywidget before 0.11 gives none */
  function until(signal) {
    const controller = new AbortController();
    if (signal?.aborted) {
      controller.abort();
    }
    onAbort(signal, () => controller.abort());
    return controller;
  }

  return {
    /** @param {{model: Model, signal?: AbortSignal}} props */
    initialize({ model, signal }) {
      const own = createHub(model);
      hub = own;
      const controller = until(signal);
      onAbort(controller.signal, own.dispose);
      return () => controller.abort();
    },
    /** @param {{model: Model, el: HTMLElement, signal?: AbortSignal}} props */
    render({ model, el, signal }) {
      hub ??= createHub(model);
      const controller = until(signal);
      createView(hub, el, controller.signal);
      return () => controller.abort();
    },
  };
};
