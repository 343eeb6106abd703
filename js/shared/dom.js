/**
 * Builders for DOM nodes. Text always becomes a text node, so nothing that a person or a
 * kernel wrote is ever parsed as markup.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * @typedef {object} SpecialProps
 * @property {string | undefined} [class]
 * @property {string | undefined} [hook] `data-lrw`, by which tests find it
 * @property {Record<string, (event: any) => void>} [on] Listeners by event name; needs `signal`.
 * @property {AbortSignal} [signal] Removes the listeners of `on` when it aborts.
 */

/**
 * Every other property is an attribute: `true` sets it empty, `false`, `null` and `undefined`
 * leave it out.
 *
 * @typedef {SpecialProps & {[attribute: string]: unknown}} Props
 */

/**
 * @param {Element} element
 * @param {Props | null | undefined} props
 */
function apply(element, props) {
  if (!props) {
    return;
  }
  const { hook, on, signal, ...attributes } = props;
  setAttribute(element, "data-lrw", hook);
  listen(element, on ?? {}, signal);
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(element, name, value);
  }
}

/**
 * @param {Element} element
 * @param {Record<string, (event: any) => void>} on Listeners by event name.
 * @param {AbortSignal} [signal] Removes them when it aborts.
 */
export function listen(element, on, signal) {
  for (const [name, listener] of Object.entries(on)) {
    element.addEventListener(name, listener, signal && { signal });
  }
}

/** What the eye alone needs: others are told otherwise. */
export const UNSEEN = { "aria-hidden": "true" };

/**
 * Set, or with `false`, `null` or `undefined` remove, one attribute.
 *
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) {
    element.setAttribute(name, text);
  }
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(typeof child === "number" ? String(child) : child);
    }
  }
}

/**
 * Build an HTML element: `h("button", {class: "lrw-button", on: {click}, signal}, "Find")`.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  apply(element, props);
  append(element, children);
  return element;
}

/**
 * Build an SVG element with the same rules as `h`.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [attrs]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attrs, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, attrs);
  append(element, children);
  return element;
}

/**
 * Remove every child of a node and return it.
 *
 * @template {Node} T
 * @param {T} node
 * @returns {T}
 */
export function clear(node) {
  while (node.firstChild) {
    node.removeChild(node.firstChild);
  }
  return node;
}

/**
 * Write text into a node, touching the DOM only when it differs: live plots call this for
 * every update.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
