/**
 * A tensor's coded record (SPEC 8.2): the model, the tables, and the table of each context.
 *
 *     u8 model, u8 number of tables T, [u8 table of each context: T > 1, not row models], T tables
 *     T = 0: the tables of the previous record with this model
 *     row models, T = 2: the table of the first context, and a smooth one that is scaled for the others
 */
import { FormatError } from "../errors.js";
import { CONTEXTS, ROW_MODELS, fits } from "./context_models.js";
import { frequenciesOf, readTable } from "./frequency_tables.js";
import { scaledFrequencies } from "./parametric_tables.js";
import { TABLES_MAX, Tables } from "./rans.js";
import { CLASSES, CLASS_SCALES } from "./row_model.js";

class CodedRecord {
  /** `contexts` holds the table of each context. */
  constructor(model, tables, contexts) {
    Object.assign(this, { model, tables });
    this.tableOf = Int32Array.from({ length: 2 * contexts.length }, (_, code) => contexts[code >> 1]); // of each code
  }

  /** Number of tables to expand; in row models one per context. */
  get tableCount() {
    return ROW_MODELS.includes(this.model) ? CONTEXTS[this.model] : this.tables.length;
  }

  /** The tables, expanded for decoding. */
  expand() {
    if (!ROW_MODELS.includes(this.model)) return new Tables(this.tables.map(frequenciesOf));
    const [first, { smooth }] = this.tables;
    return new Tables([frequenciesOf(first), ...scaledFrequencies(smooth, CLASSES, CLASS_SCALES)]);
  }
}

/**
 * Read the record of a coded tensor of this shape. `last`, a Map, holds the last record of each model, whose tables a
 * later one may use again, and is updated.
 */
export function readRecord(reader, name, shape, sideInformation, last) {
  const [model, count] = reader.take(2);
  if (!fits(model, shape, sideInformation)) {
    throw new FormatError(`tensor "${name}": model ${model} does not fit shape (${shape.join(", ")})`);
  }
  if (count === 0) {
    if (last.has(model)) return last.get(model);
    throw new FormatError(`tensor "${name}": no tables, and no previous record has any of model ${model}`);
  }
  const read = ROW_MODELS.includes(model) ? readRowTables : readTables;
  last.set(model, read(reader, name, model, count));
  return last.get(model);
}

function readRowTables(reader, name, model, count) {
  if (count !== 2) throw new FormatError(`tensor "${name}": ${count} tables, expected 2 for model ${model}`);
  const tables = [readTable(reader, name), readTable(reader, name)];
  if (!tables[1].smooth) {
    throw new FormatError(`tensor "${name}": the second table of model ${model} is not a smooth one`);
  }
  return new CodedRecord(model, tables, Uint8Array.from({ length: CONTEXTS[model] }, (_, context) => context));
}

function readTables(reader, name, model, count) {
  if (count > TABLES_MAX) {
    throw new FormatError(`tensor "${name}": ${count} tables, expected at most ${TABLES_MAX}`);
  }
  const contexts = count > 1 ? reader.take(CONTEXTS[model]) : new Uint8Array(CONTEXTS[model]);
  const unknown = contexts.find((table) => table >= count);
  if (unknown !== undefined) {
    throw new FormatError(`tensor "${name}": table ${unknown} referenced, there are ${count}`);
  }
  return new CodedRecord(model, Array.from({ length: count }, () => readTable(reader, name)), contexts);
}
