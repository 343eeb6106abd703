/**
 * The rates that a fan tries, as people write them: ×¼ ×½ ×2 ×4, or 1e-3 3e-3 1e-2.
 */

import { parseNumber } from "../shared/format.js";

const MOST = 12;
/** @type {Record<string, string>} */
const FRACTIONS = { "¼": "0.25", "½": "0.5", "¾": "0.75", "⅓": "1/3", "⅛": "0.125" };

export const USUAL = "×¼ ×½ ×2 ×4";

/**
 * @param {string} text
 * @returns {{factors: number[]} | {rates: number[]} | {error: string}}
 */
export function parseCandidates(text) {
  const words = text
    .replace(/[¼½¾⅓⅛]/g, (sign) => FRACTIONS[sign])
    .replace(/([x×*])\s+/gi, "$1")
    .split(/[\s,;]+/)
    .filter(Boolean);
  const factors = words.filter((word) => /^[x×*]/i.test(word));
  if (factors.length > 0 && factors.length < words.length) {
    return { error: "either factors, as ×½ ×2, or rates, as 1e-3 3e-3" };
  }
  if (words.length < 2 || words.length > MOST) {
    return { error: `2 to ${MOST} rates` };
  }
  const values = [];
  for (const word of words) {
    const { value, error } = parseNumber(word.replace(/^[x×*]/i, ""));
    if (value === undefined) {
      return { error: error ?? "write numbers" };
    }
    if (value < 0) {
      return { error: "each rate must be ≥ 0" };
    }
    values.push(value);
  }
  return factors.length > 0 ? { factors: values } : { rates: values };
}
