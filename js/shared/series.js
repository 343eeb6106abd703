/**
 * Columns that grow while a run goes on, and what is drawn of them: smoothed, and thinned to
 * what a screen can show.
 */

/** @typedef {import("./codec.js").Column} Column */
/** @typedef {import("./codec.js").Columns} Columns */

/**
 * @typedef {object} Table
 * @property {number} length Rows.
 * @property {() => string[]} names
 * @property {(name: string) => Column} column A view of the rows there are; empty if unknown.
 * @property {(columns: Columns) => void} append Rows from the first new key on are replaced, so
 *   that a message that repeats rows does no harm.
 * @property {(from: number) => void} cut Forgets the rows whose key is `from` or more.
 * @property {(columns: Columns) => void} replace
 */

const EMPTY = new Float64Array(0);

/**
 * A table ordered by one rising column. Storage doubles when it is full: appending is cheap.
 *
 * @param {string} key The rising column, as "step".
 * @returns {Table}
 */
export function createTable(key) {
  /** @type {Map<string, Column>} */
  let columns = new Map();
  let length = 0;
  let capacity = 0;

  /**
   * @param {string} name
   * @param {Column} like
   */
  function ensureColumn(name, like) {
    if (!columns.has(name)) {
      const made = like instanceof Float32Array && name !== key ? Float32Array : Float64Array;
      columns.set(name, new made(capacity).fill(Number.NaN));
    }
  }

  /** @param {number} rows */
  function ensureCapacity(rows) {
    if (rows <= capacity) {
      return;
    }
    capacity = Math.max(rows, capacity * 2, 1024);
    for (const [name, old] of columns) {
      const grown =
        old instanceof Float32Array ? new Float32Array(capacity) : new Float64Array(capacity);
      grown.fill(Number.NaN);
      grown.set(old.subarray(0, length));
      columns.set(name, grown);
    }
  }

  /** @param {number} from */
  function cut(from) {
    const own = columns.get(key);
    while (own && length > 0 && own[length - 1] >= from) {
      length -= 1;
    }
  }

  /** @param {Columns} more */
  function append(more) {
    const keys = more[key];
    if (keys === undefined || keys.length === 0) {
      return;
    }
    cut(keys[0]);
    ensureCapacity(length + keys.length);
    for (const [name, values] of Object.entries(more)) {
      ensureColumn(name, values);
    }
    for (const [name, column] of columns) {
      const values = more[name];
      if (values?.length === keys.length) {
        column.set(values, length);
      } else {
        column.fill(Number.NaN, length, length + keys.length);
      }
    }
    length += keys.length;
  }

  return {
    get length() {
      return length;
    },
    names: () => [...columns.keys()],
    column: (name) => columns.get(name)?.subarray(0, length) ?? EMPTY,
    append,
    cut,
    replace(next) {
      columns = new Map();
      length = 0;
      capacity = 0;
      append(next);
    },
  };
}

/**
 * The last finite value of a column.
 *
 * @param {ArrayLike<number>} values
 * @returns {number | null}
 */
export function lastFinite(values) {
  for (let i = values.length - 1; i >= 0; i -= 1) {
    if (Number.isFinite(values[i])) {
      return values[i];
    }
  }
  return null;
}

/**
 * Exponential moving average over unevenly spaced points, without the pull towards zero of its
 * first values (the correction of Adam's moments): the weight of a point falls to 1/e after
 * `span` units of x, however many points came between. Non-finite values are passed over.
 *
 * @param {ArrayLike<number>} x rising
 * @param {ArrayLike<number>} y
 * @param {number} span > 0, in units of x
 * @param {{x: number, y: number} | null} [seed] The average of a line that this one goes on from.
 * @returns {Float64Array} as long as `x`; NaN before the first finite value
 */
export function smooth(x, y, span, seed = null) {
  const result = new Float64Array(x.length);
  let sum = seed?.y ?? 0;
  let weight = seed ? 1 : 0;
  let previous = seed?.x ?? Number.NaN;
  for (let i = 0; i < x.length; i += 1) {
    if (Number.isFinite(y[i])) {
      const keep = Number.isNaN(previous) ? 0 : Math.exp(-(x[i] - previous) / span);
      const share = Number.isNaN(previous) ? 1 - Math.exp(-1 / span) : 1 - keep;
      sum = sum * keep + y[i] * share;
      weight = weight * keep + share;
      previous = x[i];
    }
    result[i] = weight > 0 ? sum / weight : Number.NaN;
  }
  return result;
}

/**
 * Indices of the points that a plot of `buckets` pixels can show: of each pixel the lowest and
 * the highest, in their order, and both ends. Non-finite values are never chosen.
 *
 * @param {ArrayLike<number>} x rising
 * @param {ArrayLike<number>} y
 * @param {number} buckets
 * @returns {Int32Array} at most `2 * buckets + 2` of them
 */
export function decimate(x, y, buckets) {
  const finite = [];
  for (let i = 0; i < y.length; i += 1) {
    if (Number.isFinite(y[i])) {
      finite.push(i);
    }
  }
  if (finite.length <= 2 * buckets + 2) {
    return Int32Array.from(finite);
  }
  const first = finite[0];
  const last = finite[finite.length - 1];
  const scale = buckets / (x[last] - x[first]);
  const chosen = [first];
  let bucket = -1;
  let low = first;
  let high = first;
  const close = () => {
    for (const i of low < high ? [low, high] : [high, low]) {
      if (i > chosen[chosen.length - 1]) {
        chosen.push(i);
      }
    }
  };
  for (const i of finite) {
    const own = Math.min(buckets - 1, Math.floor((x[i] - x[first]) * scale));
    if (own !== bucket) {
      close();
      bucket = own;
      low = i;
      high = i;
    } else if (y[i] < y[low]) {
      low = i;
    } else if (y[i] > y[high]) {
      high = i;
    }
  }
  close();
  if (last > chosen[chosen.length - 1]) {
    chosen.push(last);
  }
  return Int32Array.from(chosen);
}

/**
 * The values at some indices.
 *
 * @param {ArrayLike<number>} values
 * @param {Int32Array} indices
 * @returns {Float64Array}
 */
export function gather(values, indices) {
  return Float64Array.from(indices, (i) => values[i]);
}

/**
 * The index of the point nearest to `at`.
 *
 * @param {ArrayLike<number>} x rising
 * @param {number} at
 * @returns {number} -1 if there is none
 */
export function nearest(x, at) {
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && at - x[low - 1] <= x[low] - at ? low - 1 : Math.min(low, x.length - 1);
}
