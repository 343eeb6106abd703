/**
 * What pointer and keys need of the canvas that they act on.
 */

/** @typedef {{x: number, y: number}} Point */

/**
 * @typedef {object} View
 * @property {import("./scales.js").Scale} x
 * @property {import("./scales.js").Scale} y
 * @property {{left: number, right: number, top: number, bottom: number}} box
 */

/**
 * @typedef {object} Surface
 * @property {SVGSVGElement} element
 * @property {HTMLElement} root around it. Listens to the focus: Chromium makes an SVG element that
 *   does so a stop for Tab.
 * @property {import("./handles.js").Handles} handles
 * @property {import("./editing.js").Editing} editing
 * @property {() => import("./moves.js").Scene} scene what is shown
 * @property {() => View | null} view null while there is no room to draw
 * @property {(index: number) => void} select
 * @property {(handle: import("./handles.js").HandleState) => void} openField
 * @property {(step: number) => void} insert
 * @property {(ref: import("./moves.js").KnotRef) => void} remove
 * @property {(at: Point | null) => void} hover
 * @property {(text: string) => void} announce
 * @property {AbortSignal} signal
 */

export {};
