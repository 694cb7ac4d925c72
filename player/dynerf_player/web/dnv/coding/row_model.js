/**
 * Models of matrices whose rows or columns differ in magnitude (SPEC 8.2, models 3 and 5 to 7): a network's weights,
 * latents over time. The mean absolute residual of the rows above, per column and in half octaves, is the context.
 */
import { SYMBOL_MAX } from "../layout.js";

export const CLASSES = 40; // contexts besides the first
export const CLASS_SCALES = 4; // half an octave
export const [ROWS_MAX, COLUMNS_MAX] = [2 ** 12, 2 ** 16];

const WAVES_MAX = 64;
const FRACTION = 16; // means are in 16ths
const PRIOR_ROWS = 2;
const RESIDUAL_MAX = 2 ** 16 - 1;

/** Number of rows coded at once, each predicted from the rows before all of them. */
export function rowsPerWave(rows, columns, order) {
  return order > 0 ? 1 : Math.max(1, Math.min(Math.ceil(rows / WAVES_MAX), Math.floor(COLUMNS_MAX / columns)));
}

/** The rows of a matrix, or its columns when transposed, each predicted from the `order` rows before it. */
export class RowModel {
  constructor(canvas, shape, sideInformation, order, transposed) {
    Object.assign(this, { canvas, sideInformation, order });
    [this.rows, this.columns] = transposed ? [shape[1], shape[0]] : shape;
    [this.rowStride, this.columnStride] = transposed ? [1, shape[1]] : [shape[1], 1];
    this.group = rowsPerWave(this.rows, this.columns, order);
    this.sums = new Float64Array(this.columns);
  }

  /** First row and number of rows of each wave. */
  *waves() {
    for (let first = 0; first < this.rows; first += this.group) {
      yield { first, rows: Math.min(this.group, this.rows - first) };
    }
  }

  /** Fill in codes and bases of a wave; returns its number of symbols. */
  predict({ first, rows }, codes, values) {
    const count = rows * this.columns;
    this.contexts(first - this.order, codes);
    for (let i = this.columns; i < count; i += 1) codes[i] = codes[i - this.columns];
    if (this.order === 0 || first === 0) {
      this.sideInformation.expect(this.canvas, (i) => this.indexOf(first, i), values, count);
    } else {
      this.extrapolate(first, values);
    }
    this.bases = values.slice(0, count);
    return count;
  }

  /** Store the symbols of a wave, and count their residuals. */
  store({ first, rows }, values, size) {
    this.canvas.fit(size);
    const { canvas, columns, sums, bases } = this;
    for (let i = 0; i < rows * columns; i += 1) {
      canvas.data[this.indexOf(first, i)] = values[i];
      if (first >= this.order) sums[i % columns] += Math.min(Math.abs(values[i] - bases[i]), RESIDUAL_MAX);
    }
  }

  /** The place of the i-th symbol from the beginning of a row on. */
  indexOf(first, i) {
    const row = Math.floor(i / this.columns);
    return (first + row) * this.rowStride + (i - row * this.columns) * this.columnStride;
  }

  /** Predict one row from the row before it, or the line through the two rows before it. */
  extrapolate(row, values) {
    const { data } = this.canvas;
    for (let column = 0; column < this.columns; column += 1) {
      const above = data[(row - 1) * this.rowStride + column * this.columnStride];
      if (this.order === 1 || row === 1) {
        values[column] = above;
      } else {
        const line = 2 * above - data[(row - 2) * this.rowStride + column * this.columnStride];
        values[column] = Math.min(Math.max(line, -SYMBOL_MAX), SYMBOL_MAX);
      }
    }
  }

  /** The code of each column: context 0 before any row was counted. */
  contexts(counted, codes) {
    const { columns, sums } = this;
    if (counted < 1) {
      codes.fill(0, 0, columns);
      return;
    }
    const total = sums.reduce((sum, one) => sum + one, 0);
    const overall = Math.floor((FRACTION * total) / (counted * columns));
    for (let column = 0; column < columns; column += 1) {
      const weighted = FRACTION * sums[column] + PRIOR_ROWS * overall;
      const mean = Math.max(1, Math.floor(weighted / (counted + PRIOR_ROWS)));
      codes[column] = 2 * (1 + Math.min(halfOctaves(mean), CLASSES - 1));
    }
  }
}

/** Twice floor(log2 m), plus the bit below the leading one; m is a whole number below 2^53. */
function halfOctaves(mean) {
  const octave = mean < 2 ** 32 ? 31 - Math.clz32(mean) : 63 - Math.clz32(Math.floor(mean / 2 ** 32));
  return octave === 0 ? 0 : 2 * octave + (Math.floor(mean / 2 ** (octave - 1)) & 1);
}
