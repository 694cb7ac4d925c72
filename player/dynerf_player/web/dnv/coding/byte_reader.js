/** Reads fields from the front of a payload, with bounds checks. */
import { FormatError, TruncatedError } from "../errors.js";
import { U32_MAX } from "../layout.js";

export class ByteReader {
  /** `payload` is a Uint8Array. */
  constructor(payload) {
    this.payload = payload;
    this.position = 0;
  }

  get remaining() {
    return this.payload.length - this.position;
  }

  /** The next `length` bytes, not copied; TruncatedError when there are fewer. */
  take(length) {
    if (length > this.remaining) {
      throw new TruncatedError(
        `tensors: ${length} bytes needed at byte ${this.position}, ${this.remaining} are left`,
      );
    }
    this.position += length;
    return this.payload.subarray(this.position - length, this.position);
  }

  u8() {
    return this.take(1)[0];
  }

  /** A view of the next `length` bytes. */
  view(length) {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** A varint of at most 32 bits, 7 per byte; FormatError when it is longer than necessary. */
  varint() {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > U32_MAX || (scale > 1 && byte === 0)) {
          throw new FormatError(`tensors: a varint ${value} of more bytes than necessary or more than 32 bits`);
        }
        return value;
      }
      scale *= 128;
      if (scale > 2 ** 28) throw new FormatError("tensors: a varint of more than 5 bytes");
    }
  }
}
