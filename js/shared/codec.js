/**
 * Binary columns as they come from Python.
 */

/** @typedef {Float64Array | Float32Array} Column */
/** @typedef {Record<string, Column>} Columns */
/** @typedef {{dtype: string, data: DataView}} PackedColumn a column inside a trait */
/** @typedef {{name: string, dtype: string, length: number}} ColumnHead a column of a message */

/** @type {Record<string, Float64ArrayConstructor | Float32ArrayConstructor>} */
const ARRAYS = { float64: Float64Array, float32: Float32Array };

/**
 * Read one column. The bytes may stand anywhere in a larger buffer (some hosts hand out slices
 * of one message), and then often at an offset that a typed array refuses: they are copied.
 *
 * @param {{dtype: string, length?: number, data?: DataView}} spec
 * @param {DataView | undefined} [view] Where the bytes are, if not in `spec.data`.
 * @returns {Column}
 * @throws {TypeError} when there are no bytes or the dtype is not one of ours
 * @throws {RangeError} when the bytes are not as many as `spec.length` says
 */
export function decode(spec, view = spec.data) {
  const ArrayType = ARRAYS[spec.dtype];
  if (ArrayType === undefined) {
    throw new TypeError(`a column must be float64 or float32, got ${spec.dtype}`);
  }
  if (!(view?.buffer instanceof ArrayBuffer)) {
    throw new TypeError("a column came without its bytes");
  }
  const size = ArrayType.BYTES_PER_ELEMENT;
  const length = spec.length ?? view.byteLength / size;
  if (view.byteLength !== length * size) {
    throw new RangeError(`a column of ${length} ${spec.dtype} came with ${view.byteLength} bytes`);
  }
  return new ArrayType(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

/**
 * Read a record of packed columns; a missing record gives no columns.
 *
 * @param {Record<string, PackedColumn> | null | undefined} packed
 * @returns {Columns}
 */
export function decodeAll(packed) {
  return Object.fromEntries(
    Object.entries(packed ?? {}).map(([name, column]) => [name, decode(column)]),
  );
}

/**
 * Read the columns of a message from the front of its list of buffers.
 *
 * @param {ColumnHead[] | undefined} heads
 * @param {DataView[]} buffers
 * @returns {Columns}
 */
export function decodeMessage(heads, buffers) {
  return Object.fromEntries(
    (heads ?? []).map((head, index) => [head.name, decode(head, buffers[index])]),
  );
}
