/**
 * A tensor's coded record (SPEC 8.2).
 *
 *     planes: u8 model, varint number of bytes, decisions
 *     others: u8 model, u8 number of tables T, T tables
 *     T = 0: the tables of the previous record with this model; flat, T = 1: the table
 *     row models, T = 2: the table of the first context, and a smooth one that is scaled for the others
 */
import { FormatError } from "../errors.js";
import { PLANES, ROW_MODELS, contextsOf, fits } from "./context_models.js";
import { frequenciesOf, readTable } from "./frequency_tables.js";
import { scaledFrequencies } from "./parametric_tables.js";
import { fitsPlanes } from "./planes_coder.js";
import { Tables } from "./rans.js";
import { CLASSES, CLASS_SCALES } from "./row_model.js";

class CodedRecord {
  constructor(model, tables) {
    Object.assign(this, { model, tables });
  }

  /** Number of tables to expand, one per context. */
  get tableCount() {
    return contextsOf(this.model);
  }

  /** The tables, expanded for decoding. */
  expand() {
    if (!ROW_MODELS.includes(this.model)) return new Tables(this.tables.map(frequenciesOf));
    const [first, { smooth }] = this.tables;
    return new Tables([frequenciesOf(first), ...scaledFrequencies(smooth, CLASSES, CLASS_SCALES)]);
  }
}

/**
 * Read the record of a coded tensor of this shape: `{decisions}` of planes, or `{tables}`. `last`, a Map, holds the last
 * record with tables of each model, which a later one may use again, and is updated.
 */
export function readRecord(reader, name, shape, sideInformation, last) {
  const model = reader.u8();
  if (model === PLANES && fitsPlanes(shape)) return { decisions: reader.take(reader.varint()) };
  const count = reader.u8();
  if (!fits(model, shape, sideInformation)) {
    throw new FormatError(`tensor "${name}": model ${model} does not fit shape (${shape.join(", ")})`);
  }
  if (count > 0) last.set(model, readTables(reader, name, model, count));
  if (last.has(model)) return { tables: last.get(model) };
  throw new FormatError(`tensor "${name}": no tables, and no previous record has any of model ${model}`);
}

function readTables(reader, name, model, count) {
  const expected = ROW_MODELS.includes(model) ? 2 : 1;
  if (count !== expected) {
    throw new FormatError(`tensor "${name}": ${count} tables, expected ${expected} for model ${model}`);
  }
  const tables = Array.from({ length: count }, () => readTable(reader, name));
  if (expected === 2 && !tables[1].smooth) {
    throw new FormatError(`tensor "${name}": the second table of model ${model} is not a smooth one`);
  }
  return new CodedRecord(model, tables);
}
