/**
 * Binary arithmetic coding (SPEC 8.4): bytes -> decisions with 16-bit probabilities.
 *
 * A decision of probability p takes p / 65536 of the range if it is 1, the rest above it if it is 0; below 2^24 the
 * range takes in a byte. Range and value are unsigned 32-bit numbers.
 */
import { FormatError, TruncatedError } from "../errors.js";

const START_BYTES = 4;
const TOP = 2 ** 24;
const [RANGE, VALUE] = [0, 1];

export class BinaryDecoder {
  constructor(bytes) {
    if (bytes.length < START_BYTES) {
      throw new TruncatedError(`planes: ${bytes.length} bytes, expected at least ${START_BYTES}`);
    }
    Object.assign(this, { bytes, position: START_BYTES });
    this.state = Uint32Array.of(2 ** 32 - 1, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
  }

  /** The next decision, which is 1 with probability p / 65536. Beyond the end, bytes are 0 and counted. */
  decide(p) {
    const { state } = this;
    const range = state[RANGE];
    const bound = (Math.imul(range >>> 16, p) + (Math.imul(range & 0xffff, p) >>> 16)) >>> 0;
    const bit = state[VALUE] < bound ? 1 : 0;
    if (bit === 0) state[VALUE] -= bound;
    const rest = bit === 1 ? bound : (range - bound) >>> 0;
    state[RANGE] = rest;
    if (rest < TOP) this.refill();
    return bit;
  }

  refill() {
    const { state, bytes } = this;
    while (state[RANGE] < TOP) {
      state[RANGE] <<= 8;
      state[VALUE] = (state[VALUE] << 8) | (this.position < bytes.length ? bytes[this.position] : 0);
      this.position += 1;
    }
  }

  /** A number of so many bits, highest first, each 0 or 1 with equal probability. */
  number(bits) {
    let result = 0;
    for (let i = 0; i < bits; i += 1) result = 2 * result + this.decide(2 ** 15);
    return result;
  }

  /** TruncatedError when bytes beyond the end were needed. */
  assertNotBeyondEnd() {
    const { length } = this.bytes;
    if (this.position > length) throw new TruncatedError(`planes: more than the ${length} bytes that are there are needed`);
  }

  /** FormatError unless the decisions end where the bytes do. */
  finish() {
    this.assertNotBeyondEnd();
    const { bytes, position, state } = this;
    if (state[VALUE] !== 0 || bytes.subarray(position).some((byte) => byte !== 0)) {
      throw new FormatError("planes: the decisions do not end where the bytes do");
    }
  }
}
