/**
 * anywidget's model without a kernel: what was sent can be read, and answers are given by hand.
 *
 * @param {Record<string, any>} [traits]
 */
export function createFakeModel(traits = {}) {
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  const listeners = new Map();
  /** @type {any[]} */
  const sent = [];
  const fake = {
    sent,
    closed: false,
    emit(/** @type {string} */ event, /** @type {any[]} */ ...args) {
      for (const fn of [...(listeners.get(event) ?? [])]) {
        fn(...args);
      }
    },
    set(/** @type {string} */ name, /** @type {any} */ value) {
      traits[name] = value;
      fake.emit(`change:${name}`);
    },
    reply(/** @type {any} */ request, /** @type {object} */ answer) {
      fake.emit("msg:custom", { kind: "reply", id: request.id, ...answer }, []);
    },
    listening: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
    model: {
      get: (/** @type {string} */ name) => traits[name],
      send(/** @type {any} */ content) {
        if (fake.closed) {
          throw new Error("Cannot send");
        }
        sent.push(content);
      },
      on(/** @type {string} */ event, /** @type {(...args: any[]) => void} */ fn) {
        listeners.set(event, (listeners.get(event) ?? new Set()).add(fn));
      },
      off(/** @type {string} */ event, /** @type {(...args: any[]) => void} */ fn) {
        listeners.get(event)?.delete(fn);
      },
    },
  };
  return fake;
}

/**
 * A delta as Python sends it: message and buffers.
 *
 * @param {{stream: string, seq: number, run?: number, columns?: Record<string, any>,
 *   valid?: Record<string, any>}} delta
 * @returns {[any, DataView[]]}
 */
export function packDelta({ columns = {}, valid = {}, ...rest }) {
  const heads = (/** @type {Record<string, any>} */ record) =>
    Object.entries(record).map(([name, values]) => ({
      name,
      dtype: values instanceof Float64Array ? "float64" : "float32",
      length: values.length,
    }));
  const arrays = [...Object.values(columns), ...Object.values(valid)];
  return [
    { kind: "delta", ...rest, columns: heads(columns), valid: heads(valid) },
    arrays.map((array) => new DataView(array.buffer)),
  ];
}

/** @param {Record<string, any>} columns */
export function packColumns(columns) {
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [
      name,
      {
        dtype: values instanceof Float64Array ? "float64" : "float32",
        data: new DataView(values.buffer),
      },
    ]),
  );
}
