/**
 * What the canvas is given by the panel around it, and what it gives.
 */

/** @typedef {import("../schedule/model.js").ScheduleNode} ScheduleNode */
/** @typedef {import("../schedule/model.js").Catalogue} Catalogue */
/** @typedef {import("./axes.js").XUnit} XUnit */

/**
 * Options given as functions are asked at each drawing.
 *
 * @typedef {object} CanvasOptions
 * @property {Catalogue} catalogue
 * @property {() => ScheduleNode} getNode What counts. `update` takes it over when it has changed
 *   since it was last asked, so that an edit stays on show until its answer has come.
 * @property {(node: ScheduleNode) => void} [onPreview] During an edit, once a frame at most.
 * @property {(node: ScheduleNode) => void} onCommit Once at the end of an edit.
 * @property {() => number | null} [lockedBefore] The present step of a run: what stands at it or
 *   before it is past, has no handles, and no edit reaches it.
 * @property {() => {step: ArrayLike<number>, value: ArrayLike<number>} | null} [past] What really
 *   was, drawn instead of the curve up to the present step.
 * @property {() => import("./track_lines.js").Line[]} [lines] Other numbers of the past on the same
 *   axes, drawn dashed.
 * @property {() => ScheduleNode | null} [ghost] Another curve, drawn faintly behind.
 * @property {() => XUnit} [xUnit] Default: steps.
 * @property {() => "log" | "linear"} [yScale] Default: linear.
 * @property {() => number | null} [total] Where the x axis ends. Default: with the schedule. An
 *   axis that is given is that of other plots too, and is not zoomed.
 * @property {() => import("./track_lines.js").Track[]} [tracks] Other hyperparameters on the same
 *   steps, drawn thinly behind.
 * @property {() => "select" | "pencil"} [tool] Default: select.
 * @property {(tool: "select" | "pencil") => void} [onTool] Escape leaves the pencil.
 * @property {() => void} [onZoom] Other steps are shown than before.
 * @property {() => number | null} [stepsPerEpoch]
 * @property {string} label The name of what is scheduled: "learning rate". Read at each drawing.
 * @property {AbortSignal} signal
 * @property {{left: number, right: number}} [gutter] Pixels beside the plotting area.
 * @property {string} [hook] `data-lrw`
 * @property {(index: number) => void} [onSelect] A segment was clicked, or a handle of it focused.
 * @property {(index: number, parameter: string | null) => void} [onOpenField] Enter on a handle,
 *   or a double click: the segment and the parameter it stands for.
 * @property {(rule: string | null) => void} [onRefused] Why an edit goes no further, or null.
 * @property {(text: string) => void} [announce]
 */

/**
 * @typedef {object} ScheduleCanvas
 * @property {HTMLElement} element
 * @property {() => void} update Draws again, with whatever the options give now.
 * @property {(node: ScheduleNode) => void} setNode Shows a node as the one that counts, unless an
 *   edit is going on.
 * @property {(index: number) => void} focusHandle
 * @property {(index: number | null) => void} select Emphasises a segment.
 * @property {(node: ScheduleNode | null) => void} setGhost Until the next edit.
 * @property {import("./editing.js").Editing} editing For edits that begin elsewhere.
 * @property {() => number} stepsPerPixel where the whole schedule is as wide as the plotting area
 * @property {() => void} fit Shows all steps again.
 * @property {() => boolean} zoomed
 * @property {() => number[]} selection the indices of the knots that move together
 */

export {};
