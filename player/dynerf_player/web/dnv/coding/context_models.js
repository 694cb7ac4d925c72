/**
 * Context models (SPEC 8.2): predict a wave's symbols from symbols decoded earlier.
 *
 * A model is an object with `waves()`, the waves in coding order; `predict(wave, codes, values)`, which fills in a code
 * (2 x context, plus 1 when the residual is negated) and a base for each symbol of the wave and returns their number;
 * and `store(wave, values, size)`, which puts the decoded symbols on the canvas. Models of matrices are in
 * `row_model.js`, those of planes in `plane_models.js`.
 */
import { PlanesModel } from "./plane_models.js";
import { CLASSES, COLUMNS_MAX, ROWS_MAX, RowModel, rowsPerWave } from "./row_model.js";
import { elementsOf } from "../tensors/canvas.js";

export const [FLAT, PLANES, REFINED, ROWS, CONTINUED, COLUMNS, STEPS, LINES] = [0, 1, 2, 3, 4, 5, 6, 7];
export const ROW_MODELS = [ROWS, COLUMNS, STEPS, LINES];
const ORDER = { [ROWS]: 0, [COLUMNS]: 0, [STEPS]: 1, [LINES]: 2 };
const ROW_CONTEXTS = 1 + CLASSES;
/** Number of contexts of each model. */
export const CONTEXTS = [1, 68, 343, ROW_CONTEXTS, 208, ROW_CONTEXTS, ROW_CONTEXTS, ROW_CONTEXTS];
const WAVES_MAX = 2 ** 16;
const SYMBOLS_PER_WAVE_MIN = 64;
export const WAVE_MAX = 2 ** 16; // symbols

/** Whether a tensor of this shape may use the model; many small waves would be slow. */
export function fits(model, shape, sideInformation) {
  if (model === FLAT) return true;
  if (ROW_MODELS.includes(model)) return fitsRows(model, shape, sideInformation);
  if (model !== modelForPlanes(sideInformation) || shape.length < 3) return false;
  const waves = waveCount(model, shape);
  if (elementsOf(shape.slice(0, -2)) > WAVE_MAX) return false;
  return waves <= WAVES_MAX && elementsOf(shape) >= SYMBOLS_PER_WAVE_MIN * waves;
}

function fitsRows(model, shape, { refines, continues }) {
  if (shape.length !== 2 || (ORDER[model] > 0 && (refines || continues))) return false;
  const [rows, columns] = rowsAndColumns(model, shape);
  return rows <= ROWS_MAX && columns <= COLUMNS_MAX;
}

/** The model for planes that uses the available side information. */
function modelForPlanes({ refines, continues }) {
  if (continues) return CONTINUED;
  return refines ? REFINED : PLANES;
}

/** The number of waves of a tensor, before long ones are cut. */
export function waveCount(model, shape) {
  if (model === FLAT) return Math.ceil(elementsOf(shape) / WAVE_MAX);
  if (!ROW_MODELS.includes(model)) return shape.at(-1) + 2 * (shape.at(-2) - 1);
  const [rows, columns] = rowsAndColumns(model, shape);
  return Math.ceil(rows / rowsPerWave(rows, columns, ORDER[model]));
}

function rowsAndColumns(model, shape) {
  return model === COLUMNS ? [shape[1], shape[0]] : shape;
}

export function makeModel(model, shape, canvas, sideInformation) {
  if (model === FLAT) return new FlatModel(canvas, sideInformation);
  if (!ROW_MODELS.includes(model)) return new PlanesModel(canvas, sideInformation);
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

  predict({ first, count }, codes, values) {
    const { canvas, sideInformation } = this;
    codes.fill(0, 0, count);
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
