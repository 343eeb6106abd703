/**
 * The language's own functions under names that the bundle can shorten: build.mjs puts them in
 * the place of `Math.max` and the like, which the sources go on writing.
 */

// First: below, this file too gets them in the place of `Number` and `String`.
export const { Number: Number_, String: String_ } = globalThis;
export const { from: Array_from, isArray: Array_isArray } = Array;
export const { stringify: JSON_stringify } = JSON;
export const {
  abs: Math_abs,
  ceil: Math_ceil,
  exp: Math_exp,
  floor: Math_floor,
  log: Math_log,
  log10: Math_log10,
  max: Math_max,
  min: Math_min,
  round: Math_round,
} = Math;
export const {
  isFinite: Number_isFinite,
  isInteger: Number_isInteger,
  isNaN: Number_isNaN,
} = Number;
export const {
  entries: Object_entries,
  fromEntries: Object_fromEntries,
  keys: Object_keys,
  values: Object_values,
} = Object;
