/**
 * Sources of a clip's bytes. A source has a `name` for messages, `read(offset, length, {signal})`, which resolves to
 * exactly the requested bytes or rejects with TruncatedError, `open()`, which resolves to the first 16 KiB or all of a
 * shorter file, and from then on `size`, the number of bytes, or null where it is not known, and `version`, a strong
 * ETag or null. HTTP is in `http/http_source.js`.
 */
import { TruncatedError } from "../errors.js";
import { FIRST_READ } from "../layout.js";

/** A clip that is already in memory. */
export class BytesSource {
  /** `data` is a Uint8Array; it is not copied. */
  constructor(data, name = "bytes in memory") {
    Object.assign(this, { data, name, size: data.length, version: null });
  }

  async open() {
    return this.data.subarray(0, FIRST_READ);
  }

  async read(offset, length) {
    checkRange(this, offset, length);
    return this.data.subarray(offset, offset + length);
  }
}

/** Blocks of bytes, one behind the other. */
export function joined(blocks) {
  const bytes = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  blocks.reduce((position, block) => {
    bytes.set(block, position);
    return position + block.length;
  }, 0);
  return bytes;
}

/** TruncatedError unless the bytes `offset` to `offset + length` exist. */
export function checkRange({ name, size }, offset, length) {
  if (size !== null && offset + length > size) {
    throw new TruncatedError(`${name}: bytes ${offset} to ${offset + length} are needed, the file has ${size}`);
  }
}
