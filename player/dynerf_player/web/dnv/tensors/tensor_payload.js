/**
 * The decoded bytes of a `WGHT` or `LATN` chunk -> quantised tensors (SPEC 8).
 *
 * Every declared size is compared with the remaining bytes, and all work with limits, before anything is allocated.
 */
import { ByteReader } from "../coding/byte_reader.js";
import { readRecord } from "../coding/entropy_coder.js";
import { decodePlanes } from "../coding/planes_coder.js";
import { SectionReader } from "../coding/rans_section.js";
import { SymbolCanvas } from "../coding/symbol_canvas.js";
import { FormatError, LimitError } from "../errors.js";
import { TENSORS_MAX } from "../limits.js";
import { Tensor, checkSymbols } from "./tensor.js";
import { CODED, REFINED_MAX, readHead } from "./tensor_head.js";

const BLOCK = 2 ** 16; // plain symbols between two yields

/**
 * Decode the tensors of a payload, a Map by name in stored order; a generator that yields the number of symbols that
 * were decoded since it yielded last, and returns the Map.
 *
 * Above layer 0, `coarser` is the Map of the layers below, in the order of layer 0; `previous` that of the same layer
 * in the previous segment; both may be null. With `keep` the coarser canvases stay as they are, otherwise they are
 * refined in place. `elements` is the largest number of symbols of all tensors together.
 */
export function* unpackTensors(payload, { elements, layer = 0, coarser = null, previous = null, keep = false }) {
  const reader = new ByteReader(payload);
  const records = readRecords(reader, elements, coarser && [...coarser.values()], previous);
  const coded = records.filter(({ record }) => record?.tables);
  const section = coded.length > 0 ? new SectionReader(reader, coded.map(({ record, shape }) => ({ record: record.tables, shape }))) : null;
  const found = new Map();
  for (const { head, record, shape, plain } of records) {
    const canvas = canvasOf(head, keep);
    if (record?.decisions) yield* decodePlanes(record.decisions, shape, canvas, head.sideInformation);
    else if (record) yield* section.symbols(record.tables, shape, canvas, head.sideInformation);
    else yield* addPlain(head, plain, canvas);
    found.set(head.name, new Tensor(head.name, layer, shape, head.steps, canvas));
  }
  section?.finish();
  if (reader.remaining > 0) {
    throw new FormatError(`tensors: ${reader.remaining} bytes left over after the last tensor`);
  }
  return found;
}

/** Everything before the section: head, and record or plain symbols, of each tensor. */
function readRecords(reader, elements, coarser, previous) {
  const count = reader.varint();
  if (count > TENSORS_MAX) throw new LimitError(`${count} tensors, at most ${TENSORS_MAX} allowed`);
  const [found, tables] = [new Map(), new Map()];
  let [budget, name] = [elements, ""];
  for (let i = 0; i < count; i += 1) {
    const head = readHead(reader, budget, name, coarser, previous);
    ({ name } = head);
    if (found.has(name)) throw new FormatError(`tensors: "${name}" occurs more than once`);
    budget -= head.elements;
    const { shape } = head;
    if (head.coding === CODED) {
      const record = readRecord(reader, name, shape, head.sideInformation, tables);
      found.set(name, { head, shape, record });
    } else {
      found.set(name, { head, shape, plain: readPlain(reader, head) });
    }
  }
  return [...found.values()];
}

/** The canvas to decode into; a refinement's holds the coarser symbols. */
function canvasOf({ below, shape }, keep) {
  if (below === null) return new SymbolCanvas(shape);
  return keep ? below.canvas.clone() : below.canvas;
}

/** Plain symbols as a function of their index: byte planes of two's complement, lowest byte first. */
function readPlain(reader, { name, elements, coding }) {
  const bytes = reader.take(elements * coding);
  const shift = 32 - 8 * coding;
  const plain = (index) => {
    let value = 0;
    for (let plane = 0; plane < coding; plane += 1) value |= bytes[plane * elements + index] << (8 * plane);
    return (value << shift) >> shift;
  };
  for (let i = 0; coding === 4 && i < elements; i += 1) {
    if (Math.abs(plain(i)) > REFINED_MAX) throw new FormatError(`tensor "${name}": symbols beyond +-${REFINED_MAX}`);
  }
  return plain;
}

function* addPlain({ name, elements, sideInformation }, plain, canvas) {
  const values = new Int32Array(Math.min(BLOCK, elements));
  for (let first = 0; first < elements; first += BLOCK) {
    const count = Math.min(BLOCK, elements - first);
    const start = first;
    sideInformation.expect(canvas, (i) => canvas.indexOf(start + i), values, count);
    let [low, high] = [0, 0];
    for (let i = 0; i < count; i += 1) {
      values[i] += plain(first + i);
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
    checkSymbols(name, low, high);
    canvas.fit(Math.max(high, -1 - low));
    canvas.store(values, first, count);
    yield count;
  }
}
