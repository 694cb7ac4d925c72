/**
 * Frequency tables as records store them: counted (a list of frequencies) or smooth (shape, scale, tokens).
 * `frequenciesOf` expands one to a Uint16Array that sums to 2^14.
 */
import { FormatError } from "../errors.js";
import { SHAPE_MAX, smoothFrequencies } from "./parametric_tables.js";
import { TOTAL } from "./rans_layout.js";
import { TOKENS_MAX } from "./tokens.js";

/** Read one table: `{counted}` or `{smooth: {shape, scale, tokens}}`. FormatError when it is invalid. */
export function readTable(reader, name) {
  const first = reader.u8();
  if (first > TOKENS_MAX && first <= TOKENS_MAX + SHAPE_MAX) return readSmooth(reader, name, first - TOKENS_MAX);
  if (first < 1 || first > TOKENS_MAX) {
    throw new FormatError(`tensor "${name}": a table of ${first} tokens, expected 1 to ${TOKENS_MAX}`);
  }
  const row = Array.from({ length: first }, () => frequency(reader));
  const sum = row.reduce((total, one) => total + one, 0);
  if (sum !== TOTAL || row.at(-1) === 0) {
    throw new FormatError(`tensor "${name}": a table sums to ${sum} or ends with 0, expected ${TOTAL}`);
  }
  return { counted: Uint16Array.from(row) };
}

export function frequenciesOf(table) {
  return table.counted ?? smoothFrequencies(table.smooth);
}

function readSmooth(reader, name, shape) {
  const [scale, tokens] = reader.take(2);
  if (tokens < 1 || tokens > TOKENS_MAX) {
    throw new FormatError(`tensor "${name}": a smooth table of ${tokens} tokens, expected 1 to ${TOKENS_MAX}`);
  }
  return { smooth: { shape, scale, tokens } };
}

function frequency(reader) {
  const low = reader.u8();
  return low < 128 ? low : (low & 127) | (reader.u8() << 7);
}
