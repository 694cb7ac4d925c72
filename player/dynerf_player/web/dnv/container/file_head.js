/** The 40-byte head (SPEC 3): format and version, and the lengths of header, directory and file. */
import { ChecksumError, FormatError, LimitError, NotDnvError, TruncatedError, VersionError } from "../errors.js";
import { ENTRY_BYTES, FLAGS_KNOWN, HEAD_BYTES, MAGIC, MAJOR, MINOR, TRAILER_BYTES } from "../layout.js";
import { crc32 } from "./crc32.js";
import { describeContent } from "./file_type.js";

/**
 * Read the head from the first bytes of a file of `size` bytes; null when the size is not known, as on a host that
 * does not expose it. The sections that a returned head describes lie within the file.
 */
export function unpackHead(start, size, limits) {
  if (start.length === 0 || !MAGIC.every((byte, i) => i >= start.length || start[i] === byte)) {
    throw new NotDnvError(`not a .dnv file: this looks like ${describeContent(start)}`);
  }
  if (start.length < HEAD_BYTES) {
    throw new TruncatedError(`${start.length} bytes, a .dnv file has at least ${HEAD_BYTES + TRAILER_BYTES}`);
  }
  const head = fields(start);
  if (head.major !== MAJOR) {
    throw new VersionError(
      `written in format version ${head.major}.${head.minor}, this reader supports ${MAJOR}.${MINOR}`,
    );
  }
  if (crc32(start.subarray(0, HEAD_BYTES - 4)) !== head.crc32) {
    throw new ChecksumError("the head is damaged: its checksum does not match");
  }
  if (head.flags & ~FLAGS_KNOWN) {
    throw new VersionError(`flags ${head.flags} are set, of which version ${MAJOR}.${MINOR} defines ${FLAGS_KNOWN}`);
  }
  checkLengths(head, size, limits);
  return head;
}

function fields(start) {
  const view = new DataView(start.buffer, start.byteOffset, HEAD_BYTES);
  const [headerLength, directoryLength] = [view.getUint32(12, true), view.getUint32(20, true)];
  const fileLength = view.getUint32(28, true) + 2 ** 32 * view.getUint32(32, true);
  return {
    major: view.getUint8(8),
    minor: view.getUint8(9),
    flags: view.getUint16(10, true),
    headerLength,
    headerCrc32: view.getUint32(16, true),
    directoryLength,
    directoryCrc32: view.getUint32(24, true),
    fileLength,
    crc32: view.getUint32(36, true),
    headerEnd: HEAD_BYTES + headerLength,
    chunksStart: HEAD_BYTES + headerLength + directoryLength,
    chunksEnd: fileLength - TRAILER_BYTES,
  };
}

function checkLengths(head, size, limits) {
  const { headerLength, directoryLength, fileLength } = head;
  if (headerLength > limits.headerBytes) {
    throw new LimitError(`header of ${headerLength} bytes, at most ${limits.headerBytes} allowed`);
  }
  if (directoryLength > limits.directoryBytes) {
    throw new LimitError(`directory of ${directoryLength} bytes, at most ${limits.directoryBytes} allowed`);
  }
  if (directoryLength % ENTRY_BYTES > 0) {
    throw new FormatError(`directory of ${directoryLength} bytes, expected a multiple of ${ENTRY_BYTES}`);
  }
  if (head.chunksStart > head.chunksEnd) {
    throw new FormatError(`header and directory do not fit into the declared ${fileLength} bytes`);
  }
  if (size === null) {
    if (fileLength > Number.MAX_SAFE_INTEGER) throw new LimitError(`a file of ${fileLength} bytes`);
    return;
  }
  if (size < fileLength) throw new TruncatedError(`${size} of ${fileLength} bytes are present; the rest is missing`);
  if (size > fileLength) throw new FormatError(`${size - fileLength} bytes follow the end of the clip`);
}
