/**
 * Ids that join a field with its label and its error.
 */

// The bundle may be loaded once per widget into one document, so a counter alone would repeat
// itself.
const idPrefix = `lrw-${Math.random().toString(36).slice(2, 8)}`;
let idCount = 0;

/** @returns {string} an id that no other element of the page has */
export function uniqueId() {
  idCount += 1;
  return `${idPrefix}-${idCount}`;
}
