/**
 * rANS with interleaved lanes: 16-bit words -> tokens -> symbols (SPEC 8.3).
 *
 * A lane's state x is an unsigned 32-bit number, kept in an Int32Array: products and sums wrap modulo 2^32, as they
 * do for unsigned numbers. Symbol i of a wave belongs to lane i mod lanes.
 */
import { FormatError, TruncatedError } from "../errors.js";
import { PRECISION, STATE_MIN, TOTAL } from "./rans_layout.js";
import { DIRECT } from "./tokens.js";

export const LANES_MAX = 4096;
export const TABLES_MAX = 32;

const START_SHIFT = 15; // frequencies are below 2^15
const ROW_SHIFT = 8; // 256 rows a table, more than tokens

/** Frequency tables with look-up tables for decoding. */
export class Tables {
  /** `frequencies` is a list of Uint16Array, each summing to 2^14. */
  constructor(frequencies) {
    this.slots = new Uint8Array(frequencies.length * TOTAL); // the token of each slot of each table
    this.rows = new Int32Array(frequencies.length << ROW_SHIFT); // start and frequency of each token
    frequencies.forEach((row, number) => this.add(row, number));
  }

  add(row, number) {
    let start = 0;
    row.forEach((frequency, token) => {
      this.rows[(number << ROW_SHIFT) + token] = (start << START_SHIFT) | frequency;
      this.slots.fill(token, number * TOTAL + start, number * TOTAL + start + frequency);
      start += frequency;
    });
  }
}

export class RansDecoder {
  /** `states` and `words` are views of the section's bytes, `bits` a BitReader. */
  constructor(states, words, bits) {
    this.states = Int32Array.from({ length: states.byteLength / 4 }, (_, i) => states.getInt32(4 * i, true));
    this.words = Uint16Array.from({ length: words.byteLength / 2 }, (_, i) => words.getUint16(2 * i, true));
    this.bits = bits;
    this.position = 0;
    if (this.states.some((state) => state >>> 0 < STATE_MIN)) {
      throw new FormatError(`rANS: a state below ${STATE_MIN}`);
    }
  }

  /**
   * Decode a wave: add the integers to the bases in `values`, with the signs in `codes`.
   *
   * A code is 2 x context, plus 1 for a negative sign; `tableOf` is the table of each code. Returns the bits that the
   * symbols need besides the sign's: the smallest 2^n - 1 that no symbol v exceeds, nor -1 - v. TruncatedError when
   * words or raw bits run out.
   */
  wave({ slots, rows }, tableOf, codes, values, count) {
    const { states, words, bits } = this;
    const lanes = states.length;
    let { position } = this;
    let lane = 0;
    let used = 0;
    for (let i = 0; i < count; i += 1) {
      const code = codes[i];
      const table = tableOf[code];
      let x = states[lane];
      const slot = x & (TOTAL - 1);
      const token = slots[(table << PRECISION) + slot];
      const row = rows[(table << ROW_SHIFT) + token];
      x = (Math.imul(row & 0x7fff, x >>> PRECISION) + slot - (row >> START_SHIFT)) | 0;
      if (x >>> 16 === 0) {
        if (position === words.length) throw new TruncatedError(`rANS: needs more than its ${words.length} words`);
        x = (x << 16) | words[position];
        position += 1;
      }
      states[lane] = x;
      lane = lane + 1 === lanes ? 0 : lane + 1;
      const integer = token < DIRECT ? (token >> 1) ^ -(token & 1) : bits.integer(token);
      const sign = -(code & 1);
      const value = (values[i] + (integer ^ sign) - sign) | 0;
      values[i] = value;
      used |= value ^ (value >> 31);
    }
    this.position = position;
    return allBitsBelow(used);
  }

  /** FormatError unless no word is left and every state is back at its initial value. */
  finish() {
    if (this.position !== this.words.length || this.states.some((state) => state !== STATE_MIN)) {
      throw new FormatError("rANS: words are left, or a state does not end at its initial value");
    }
    this.bits.finish();
  }
}

/** The smallest 2^n - 1 that has all these bits. */
function allBitsBelow(used) {
  return 2 ** (32 - Math.clz32(used)) - 1;
}
