/**
 * Drawing at most once a frame, and only while there is something to see.
 */

import { onAbort } from "./listeners.js";

/**
 * @param {Element} element What is drawn: it is drawn again when its size changes, and when it
 *   comes into sight.
 * @param {() => void} draw
 * @param {AbortSignal} signal
 * @returns {() => void} asks for a drawing
 */
export function createFrames(element, draw, signal) {
  let frame = 0;
  let visible = true;

  function schedule() {
    if (frame === 0 && !signal.aborted) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        if (visible) {
          draw();
        }
      });
    }
  }

  const sizes = new ResizeObserver(schedule);
  const sight = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    schedule();
  });
  sizes.observe(element);
  sight.observe(element);
  onAbort(signal, () => {
    cancelAnimationFrame(frame);
    sizes.disconnect();
    sight.disconnect();
  });
  return schedule;
}
