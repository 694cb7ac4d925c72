/**
 * Integers <-> tokens of a small alphabet and raw bits (SPEC 8.1). A token below 16 is its own v, and the integer is
 * v / 2 or -(v + 1) / 2; above, the token holds the octave of v and three bits, the bits below them are raw.
 */
import { FormatError, TruncatedError } from "../errors.js";

export const DIRECT = 16;
export const PER_OCTAVE = 8;
export const TOKENS_MAX = 192;

/** Number of raw bits of a token from 16 on. */
export function rawWidth(token) {
  return 1 + ((token - DIRECT) >> 3);
}

/** The integer that v stands for. */
export function signed(v) {
  return (v >> 1) ^ -(v & 1);
}

/** Sequential reader of raw bits. */
export class BitReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0; // in bits
  }

  /** The integer of a token from 16 on and its raw bits; TruncatedError when they run out. */
  integer(token) {
    const width = rawWidth(token);
    return signed(((PER_OCTAVE + ((token - DIRECT) & 7)) << width) | this.take(width));
  }

  /** The next `width` bits, 1 to 23. */
  take(width) {
    if (width > 8 * this.bytes.length - this.position) {
      throw new TruncatedError(`raw bits: needs more than the ${8 * this.bytes.length} present`);
    }
    const [first, shift] = [Math.floor(this.position / 8), this.position % 8];
    this.position += width;
    // Bytes beyond the end are undefined, which counts as 0, and lie above the bits that are kept.
    const { bytes } = this;
    const window = bytes[first] | (bytes[first + 1] << 8) | (bytes[first + 2] << 16) | (bytes[first + 3] << 24);
    return (window >>> shift) & ((1 << width) - 1);
  }

  /** FormatError unless less than a byte is left, all of it zero. */
  finish() {
    const unused = 8 * this.bytes.length - this.position;
    if (unused >= 8 || (unused > 0 && this.bytes.at(-1) >> (8 - unused))) {
      throw new FormatError(`raw bits: ${unused} are left over`);
    }
  }
}
