/**
 * Reads a clip from any source; nothing is used before it is checked. Opening takes one read of 16 KiB and at most one
 * more; it checks the head, the header and the whole directory. Chunks are read on demand, one read each, and checked
 * before they are decoded.
 */
import { ChecksumError, FormatError, LimitError, namingSource } from "../errors.js";
import { CHUNK_HEAD_BYTES, HEAD_BYTES } from "../layout.js";
import { decompress } from "./compression.js";
import { crc32 } from "./crc32.js";
import { checkDirectory, checkedBody, labelOf, unpackDirectory } from "./directory.js";
import { unpackHead } from "./file_head.js";
import { readHeader } from "./prologue.js";
import { joined } from "./source.js";

/** An opened clip: `header`, `directory`, `chunksStart`, and the payloads of the chunks. */
export class Reader {
  constructor(source, limits, head, header, directory) {
    Object.assign(this, { source, limits, header, directory });
    Object.assign(this, { size: head.fileLength, chunksStart: head.chunksStart });
  }

  static open(source, limits, { signal } = {}) {
    return namingSource(source.name, async () => {
      let start = await source.open({ signal });
      const head = unpackHead(start, source.size, limits);
      source.size ??= head.fileLength; // where the host does not expose it
      if (head.chunksStart > start.length) {
        start = joined([start, await source.read(start.length, head.chunksStart - start.length, { signal })]);
      }
      const header = readHeader(head, start.subarray(HEAD_BYTES, head.headerEnd), limits);
      const stored = start.slice(head.headerEnd, head.chunksStart);
      if (crc32(stored) !== head.directoryCrc32) {
        throw new ChecksumError("the directory is damaged: its checksum does not match");
      }
      const directory = unpackDirectory(stored);
      checkDirectory(directory, header.segments, head.chunksStart, head.chunksEnd, limits);
      return new Reader(source, limits, head, header, directory);
    });
  }

  /** The decoded payload of a chunk of this clip. */
  readChunk(entry, { signal } = {}) {
    return namingSource(this.source.name, async () => {
      const chunk = await this.source.read(entry.offset, CHUNK_HEAD_BYTES + entry.storedLength, { signal });
      return this.decode(entry, checkedBody(entry, chunk));
    });
  }

  decode(entry, body) {
    if (entry.decodedLength > this.limits.chunkBytes) {
      throw new LimitError(`${labelOf(entry)}: decodes to ${entry.decodedLength} bytes`);
    }
    try {
      return decompress(entry.codec, body, entry.decodedLength);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new error.constructor(`${labelOf(entry)}: ${error.message}`, { cause: error });
    }
  }
}
