/**
 * The rANS section at the end of a payload (SPEC 8.3): the words and raw bits of all its entropy-coded tensors.
 */
import { FormatError, LimitError } from "../errors.js";
import { SYMBOL_MAX } from "../layout.js";
import { WAVE_MAX, makeModel, waveCount } from "./context_models.js";
import { LANES_MAX, RansDecoder } from "./rans.js";
import { elementsOf } from "./symbol_canvas.js";
import { BitReader } from "./tokens.js";

const STEPS_MAX = 2 ** 17;
const STEPS_PER_TABLE = 4;
const [ELEMENTS_PER_BYTE, ELEMENTS_FREE] = [1024, 2 ** 16];

// Of one wave; used between two yields only, so all decoders share them.
const contexts = new Uint8Array(WAVE_MAX);
const values = new Int32Array(WAVE_MAX);

/** Decodes the coded tensors of a payload one after the other, in the order of their records. */
export class SectionReader {
  /** `tensors` is a list of `{record, shape}`. */
  constructor(reader, tensors) {
    const [lanes, words, raw] = [reader.varint(), reader.varint(), reader.varint()];
    if (lanes < 1 || lanes > LANES_MAX) throw new FormatError(`rANS: ${lanes} lanes, expected 1 to ${LANES_MAX}`);
    const [states, coded] = [reader.view(4 * lanes), reader.view(2 * words)];
    const bits = new BitReader(reader.take(raw));
    checkWork(tensors, lanes, 4 * lanes + 2 * words + raw);
    this.decoder = new RansDecoder(states, coded, bits);
    this.expanded = { record: null, tables: null };
  }

  /**
   * Decode the symbols of the next tensor into its canvas; FormatError when they are out of range. A generator that
   * yields the number of symbols after each wave.
   */
  *symbols(record, shape, canvas, sideInformation) {
    const model = makeModel(record.model, shape, canvas, sideInformation);
    if (this.expanded.record !== record) this.expanded = { record, tables: record.expand() };
    for (const wave of model.waves()) {
      const count = model.predict(wave, contexts, values);
      const size = this.decoder.wave(this.expanded.tables, contexts, values, count);
      if (size >= SYMBOL_MAX) checkRange(count);
      model.store(wave, values, size);
      yield count;
    }
  }

  /** FormatError unless all words and raw bits are used. */
  finish() {
    this.decoder.finish();
  }
}

/** FormatError when a symbol of the wave is out of range; the bits of 2^23, the largest one, do not say. */
function checkRange(count) {
  for (let i = 0; i < count; i += 1) {
    if (values[i] < -SYMBOL_MAX || values[i] > SYMBOL_MAX) throw new FormatError(`rANS: a symbol beyond +-${SYMBOL_MAX}`);
  }
}

/** LimitError when few bytes declare a lot of work. */
function checkWork(tensors, lanes, stored) {
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const elements = sum(tensors.map(({ shape }) => elementsOf(shape)));
  const waves = sum(tensors.map(({ record, shape }) => waveCount(record.model, shape)));
  const tables = sum(tensors.map(({ record }) => record.tableCount));
  const steps = waves + Math.floor(elements / lanes) + STEPS_PER_TABLE * tables;
  if (steps > STEPS_MAX) throw new LimitError(`rANS: ${steps} steps of ${lanes} lanes, at most ${STEPS_MAX} allowed`);
  if (elements > ELEMENTS_FREE + ELEMENTS_PER_BYTE * stored) {
    throw new LimitError(`rANS: ${elements} elements in ${stored} bytes`);
  }
}
