/** The header's stored bytes: MessagePack, or one Zstandard frame of it when the head has the flag. */
import { ChecksumError, LimitError } from "../errors.js";
import { FLAG_ZSTD_HEADER } from "../layout.js";
import { ZSTD, decompress, frameLength } from "./compression.js";
import { crc32 } from "./crc32.js";
import { decodeHeader } from "./header.js";

/** Decode the header of a checked head. */
export function readHeader(head, stored, limits) {
  if (crc32(stored) !== head.headerCrc32) {
    throw new ChecksumError("the header is damaged: its checksum does not match");
  }
  if (!(head.flags & FLAG_ZSTD_HEADER)) return decodeHeader(stored);
  const length = frameLength(stored);
  if (length > limits.headerBytes) {
    throw new LimitError(`header decodes to ${length} bytes, at most ${limits.headerBytes} allowed`);
  }
  return decodeHeader(decompress(ZSTD, stored, length));
}
