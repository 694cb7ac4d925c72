/**
 * Context models (SPEC 8.2): predict a wave's symbols from symbols decoded earlier.
 *
 * A model is an object with `waves()`, the waves in coding order; `predict(wave, contexts, values)`, which fills in context
 * and base of each symbol of the wave and returns their number; and `store(wave, values, size)`, which puts the decoded
 * symbols, of at most that size, on the canvas. Models of matrices are in `row_model.js`. Model 1, planes, has decisions
 * instead of tables and a coder of its own (`planes_coder.js`).
 */
import { CLASSES, COLUMNS_MAX, ROWS_MAX, RowModel, rowsPerWave } from "./row_model.js";
import { elementsOf } from "./symbol_canvas.js";

export const [FLAT, PLANES, ROWS, COLUMNS, STEPS, LINES] = [0, 1, 3, 5, 6, 7];
export const ROW_MODELS = [ROWS, COLUMNS, STEPS, LINES];
const ORDER = { [ROWS]: 0, [COLUMNS]: 0, [STEPS]: 1, [LINES]: 2 };
/** Number of contexts of a model: one, or in row models one besides those of the classes. */
export function contextsOf(model) {
  return model === FLAT ? 1 : 1 + CLASSES;
}

export const WAVE_MAX = 2 ** 16; // symbols

/** Whether a tensor of this shape may use the model. */
export function fits(model, shape, { refines, continues }) {
  if (model === FLAT) return true;
  if (!ROW_MODELS.includes(model) || shape.length !== 2) return false;
  if (ORDER[model] > 0 && (refines || continues)) return false;
  const [rows, columns] = rowsAndColumns(model, shape);
  return rows <= ROWS_MAX && columns <= COLUMNS_MAX;
}

/** The number of waves of a tensor, before long ones are cut. */
export function waveCount(model, shape) {
  if (model === FLAT) return Math.ceil(elementsOf(shape) / WAVE_MAX);
  const [rows, columns] = rowsAndColumns(model, shape);
  return Math.ceil(rows / rowsPerWave(rows, columns, ORDER[model]));
}

function rowsAndColumns(model, shape) {
  return model === COLUMNS ? [shape[1], shape[0]] : shape;
}

export function makeModel(model, shape, canvas, sideInformation) {
  if (model === FLAT) return new FlatModel(canvas, sideInformation);
  return new RowModel(canvas, shape, sideInformation, ORDER[model], model === COLUMNS);
}

/** Prediction from side information only, in row-major order. */
class FlatModel {
  constructor(canvas, sideInformation) {
    Object.assign(this, { canvas, sideInformation });
  }

  *waves() {
    const { elements } = this.canvas;
    for (let first = 0; first < elements; first += WAVE_MAX) {
      yield { first, count: Math.min(WAVE_MAX, elements - first) };
    }
  }

  predict({ first, count }, contexts, values) {
    const { canvas, sideInformation } = this;
    contexts.fill(0, 0, count);
    if (sideInformation.refines || sideInformation.continues) {
      sideInformation.expect(canvas, (i) => canvas.indexOf(first + i), values, count);
    } else {
      values.fill(0, 0, count);
    }
    return count;
  }

  store({ first, count }, values, size) {
    this.canvas.fit(size);
    this.canvas.store(values, first, count);
  }
}
