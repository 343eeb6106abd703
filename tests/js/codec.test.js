import assert from "node:assert/strict";
import test from "node:test";
import { decode, decodeAll, decodeMessage } from "../../js/shared/codec.js";

/**
 * The bytes of an array in the middle of a larger buffer, as some hosts hand them out.
 *
 * @param {Float64Array | Float32Array} array
 * @param {number} offset
 */
function sliceOf(array, offset) {
  const bytes = new Uint8Array(array.byteLength + offset + 5).fill(255);
  bytes.set(new Uint8Array(array.buffer), offset);
  return new DataView(bytes.buffer, offset, array.byteLength);
}

test("a view's offset and length are honoured, aligned or not", () => {
  for (const offset of [0, 3, 8]) {
    const steps = Float64Array.of(1, 2, 2 ** 53 - 1);
    assert.deepEqual(decode({ dtype: "float64", data: sliceOf(steps, offset) }), steps);
    const loss = Float32Array.of(0.5, Number.NaN, Number.POSITIVE_INFINITY);
    assert.deepEqual(decode({ dtype: "float32", length: 3 }, sliceOf(loss, offset)), loss);
  }
});

test("the copy does not change with the message's buffer", () => {
  const bytes = Float32Array.of(1, 2);
  const column = decode({ dtype: "float32", data: new DataView(bytes.buffer) });
  bytes[0] = 9;
  assert.equal(column[0], 1);
});

test("a record of columns, and none", () => {
  const data = new DataView(Float32Array.of(1).buffer);
  assert.deepEqual(decodeAll({ loss: { dtype: "float32", data } }), { loss: Float32Array.of(1) });
  assert.deepEqual(decodeAll(null), {});
});

test("a message's buffers are taken in order", () => {
  const columns = decodeMessage(
    [
      { name: "step", dtype: "float64", length: 2 },
      { name: "loss", dtype: "float32", length: 2 },
    ],
    [sliceOf(Float64Array.of(5, 6), 8), sliceOf(Float32Array.of(7, 8), 1)],
  );
  assert.deepEqual(columns, { step: Float64Array.of(5, 6), loss: Float32Array.of(7, 8) });
});

test("an empty column", () => {
  const data = new DataView(new ArrayBuffer(0));
  assert.equal(decode({ dtype: "float64", length: 0, data }).length, 0);
});

test("what is not a column is refused", () => {
  const data = new DataView(new ArrayBuffer(8));
  assert.throws(() => decode({ dtype: "int64", data }), /float64 or float32, got int64/);
  assert.throws(() => decode({ dtype: "float64" }), /without its bytes/);
  assert.throws(() => decode({ dtype: "float64", length: 2, data }), RangeError);
});
