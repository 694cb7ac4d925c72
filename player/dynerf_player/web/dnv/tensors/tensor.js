/** A quantised tensor (SPEC 8): value = symbol x step, in single precision. */
import { FormatError } from "../errors.js";
import { SYMBOL_MAX } from "../layout.js";

const [STEP_MIN, STEP_MAX] = [2 ** -100, 2 ** 100]; // no product overflows or becomes subnormal

/**
 * `layer` is the quality layer that holds the tensor; `steps` (Float64Array) one number, or one per index of the first
 * axis. `canvas` holds the symbols, until a higher layer refines them.
 */
export class Tensor {
  constructor(name, layer, shape, steps, canvas) {
    Object.assign(this, { name, layer, shape, steps, canvas });
    if (!steps.every((step) => step >= STEP_MIN && step <= STEP_MAX)) {
      throw new FormatError(`tensor "${name}": a step is not finite or not between 2^-100 and 2^100`);
    }
  }

  /** The symbols in row-major order; a copy for rank 3 and more. */
  get symbols() {
    return this.canvas.symbols();
  }

  /** The values of one index of the first axis of a matrix, as Float64Array. */
  row(index) {
    const [rows, columns] = this.shape;
    const step = this.steps[this.steps.length === rows ? index : 0];
    const { data } = this.canvas;
    return Float64Array.from({ length: columns }, (_, column) => Math.fround(data[index * columns + column] * step));
  }

  /** The values in row-major order, exact: both factors have 24 bits at most. */
  dequantise() {
    const { symbols, steps } = this;
    const block = symbols.length / steps.length;
    const found = new Float32Array(symbols.length);
    steps.forEach((step, index) => {
      for (let i = index * block; i < (index + 1) * block; i += 1) found[i] = symbols[i] * step;
    });
    return found;
  }
}

/** FormatError unless all symbols lie within 2^23. */
export function checkSymbols(name, low, high) {
  if (low < -SYMBOL_MAX || high > SYMBOL_MAX) {
    throw new FormatError(`tensor "${name}": symbols beyond +-${SYMBOL_MAX}; the step is too small`);
  }
}
