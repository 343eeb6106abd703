/**
 * Numbers as people read and write them: learning rates, steps, losses, durations.
 */

/** Narrow and unbreakable, so that "2 000" never falls apart at a line's end. */
const THIN_SPACE = "\u202f";

/**
 * @param {number} x
 * @param {number} digits significant figures at most
 * @returns {string} mantissa and exponent without trailing zeros, as "3.2e-3"
 */
function exponential(x, digits) {
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return `${short}e${Number(exponent)}`;
}

/**
 * @param {number} x
 * @returns {string | null} the text for a value that no digits can show
 */
function unshowable(x) {
  if (Number.isNaN(x)) {
    return "nan";
  }
  if (!Number.isFinite(x)) {
    return x > 0 ? "∞" : "−∞";
  }
  return null;
}

/**
 * A learning rate with up to three significant figures: "3.2e-3" below 1e-2, else "0.05". Just
 * below one, where decay rates and momenta are, five: 0.9995 is not 1.
 *
 * @param {number | null | undefined} x
 * @returns {string} "–" when there is none
 */
export function formatRate(x) {
  if (x === null || x === undefined) {
    return "–";
  }
  const special = unshowable(x);
  if (special !== null) {
    return special;
  }
  if (x === 0) {
    return "0";
  }
  const rounded = Number(x.toPrecision(x > 0.99 && x < 1 ? 5 : 3));
  const size = Math.abs(rounded);
  return size < 1e-2 || size >= 1e5 ? exponential(rounded, 3) : String(rounded);
}

/**
 * A count of steps with thin spaces between the thousands: "12 000".
 *
 * @param {number | null | undefined} n
 * @returns {string} "–" when there is none
 */
export function formatSteps(n) {
  if (n === null || n === undefined || !Number.isFinite(n)) {
    return n === Number.POSITIVE_INFINITY ? "∞" : "–";
  }
  const digits = String(Math.abs(Math.round(n))).replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
  return n < 0 ? `−${digits}` : digits;
}

/**
 * A loss or another metric with four significant figures.
 *
 * @param {number | null | undefined} x
 * @returns {string} "–" when there is none
 */
export function formatLoss(x) {
  if (x === null || x === undefined) {
    return "–";
  }
  const special = unshowable(x);
  if (special !== null) {
    return special;
  }
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return exponential(x, 3);
  }
  return x.toPrecision(4).replace(/^(-?\d+\.\d{4})\d+$/, "$1");
}

/**
 * @param {string | null} text that may begin in the midst of a sentence
 * @returns {string}
 */
export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

/**
 * A loss at a tick of its axis: as `formatLoss`, without trailing zeros.
 *
 * @param {number} value
 * @returns {string}
 */
export function formatTick(value) {
  return formatLoss(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/**
 * A duration: "0.4 s", "12 s", "3 min 05 s", "1 h 12 min".
 *
 * @param {number | null | undefined} seconds
 * @returns {string} "–" when it is not known
 */
export function formatDuration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return "–";
  }
  const s = Math.max(0, seconds);
  if (s < 9.95) {
    return `${s.toFixed(1)} s`;
  }
  const whole = Math.round(s);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  }
  const minutes = Math.round(s / 60);
  return `${formatSteps(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/**
 * What relative forms refer to. Give `peak` (and the values at both ends) for a rate, and `total`
 * (and `stepsPerEpoch`, where there are epochs) for a number of steps; "%" means percent of `total`
 * where it is given, else of `peak`.
 *
 * @typedef {object} NumberUnits
 * @property {number | null} [peak]
 * @property {number | null} [start]
 * @property {number | null} [end]
 * @property {number | null} [stepsPerEpoch]
 * @property {number | null} [total] "length" in words
 */

const DIGITS = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/;

/**
 * @param {string} factor one factor of a product, without spaces
 * @param {NumberUnits} units
 * @returns {number | string} the number, or what is wrong
 */
function parseFactor(factor, { peak, start, end, stepsPerEpoch, total }) {
  const match = /^(.*?)(peak|start|end|length|epochs?|ep|steps?|%|k)?$/.exec(factor);
  const digits = match?.[1] ?? "";
  const unit = match?.[2] ?? "";
  const whole = total ?? peak;
  /** @type {Record<string, number | null | undefined>} */
  const words = { peak, start, end, length: total };
  if (digits === "" && !(unit in words)) {
    return unit === ""
      ? "something is missing beside “*” or “/”"
      : `write a number before “${unit}”`;
  }
  if (digits !== "" && !DIGITS.test(digits)) {
    return digits.includes(",")
      ? "write a point, not a comma, for decimals"
      : `“${factor}” is not a number`;
  }
  const number = digits === "" ? 1 : Number(digits);
  if (unit in words) {
    const value = words[unit];
    return Number.isFinite(value ?? Number.NaN)
      ? number * Number(value)
      : `there is no ${unit} here to refer to`;
  }
  if (unit.startsWith("ep")) {
    return stepsPerEpoch ? number * stepsPerEpoch : "the length of an epoch is not known here";
  }
  if (unit === "%") {
    return whole ? (number / 100) * whole : "there is nothing here to take a percentage of";
  }
  return unit === "k" ? number * 1000 : number;
}

/**
 * Read what a person typed: `3e-3`, `0.1*peak`, `peak/10`, `end*2`, `5%`, `2ep`, `1 900`.
 *
 * @param {string} text
 * @param {NumberUnits} [units]
 * @returns {{value: number, error?: undefined} | {value?: undefined, error: string}}
 */
export function parseNumber(text, units = {}) {
  const compact = text
    .toLowerCase()
    .replace(/[\s_\u2009\u202f]/g, "")
    .replaceAll("−", "-")
    .replace(/[×·]/g, "*");
  if (compact === "") {
    return { error: "write a number" };
  }
  let value = 1;
  let operator = "*";
  for (const part of compact.split(/([*/])/)) {
    if (part === "*" || part === "/") {
      operator = part;
      continue;
    }
    const factor = parseFactor(part, units);
    if (typeof factor === "string") {
      return { error: factor };
    }
    value = operator === "/" ? value / factor : value * factor;
  }
  return Number.isFinite(value) ? { value } : { error: "the number must be finite" };
}
