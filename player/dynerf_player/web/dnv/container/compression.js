/**
 * Stored bytes -> decoded bytes of one chunk (SPEC 7): raw or one Zstandard frame.
 *
 * Before the library sees a frame its head and the heads of its blocks are walked: the frame states the length that
 * the checked directory declares, needs neither a large window nor a dictionary, and ends where the bytes end. The
 * library ignores the frame's checksum; the chunk's CRC-32 covers the same bytes.
 */
import { FormatError } from "../errors.js";
import { decompress as decodeFrame } from "../vendor/fzstd.js";

export const RAW = 0;
export const ZSTD = 1;
export const CODECS = [RAW, ZSTD];

const FRAME_MAGIC = 0xfd2fb528;
const WINDOW_MAX = 1 << 23;
const BLOCK_MAX = 1 << 17;
const [RAW_BLOCK, RLE_BLOCK, RESERVED_BLOCK] = [0, 1, 3];

/** Exactly `decodedLength` bytes, which the caller has compared with its limits. */
export function decompress(codec, stored, decodedLength) {
  if (codec === RAW) {
    if (stored.length !== decodedLength) {
      throw new FormatError(`raw: ${stored.length} bytes stored, ${decodedLength} declared`);
    }
    return stored;
  }
  if (codec !== ZSTD) throw new FormatError(`codec ${codec} is unknown, expected one of ${CODECS}`);
  checkFrame(stored, decodedLength);
  const payload = new Uint8Array(decodedLength);
  try {
    decodeFrame(stored, payload);
  } catch (error) {
    throw new FormatError(`zstd: ${error.message}`, { cause: error });
  }
  return payload;
}

/** The content size that a frame states; nothing is decoded. FormatError when it states none. */
export function frameLength(frame) {
  const { contentSize } = frameHead(frame);
  if (contentSize === null) throw new FormatError("zstd: a frame that does not state its content size");
  return contentSize;
}

function checkFrame(frame, decodedLength) {
  const { contentSize, windowSize, dictionary, checksum, blocks } = frameHead(frame);
  if (contentSize !== decodedLength) {
    throw new FormatError(`zstd: frame of ${contentSize ?? "unstated"} bytes, ${decodedLength} declared`);
  }
  if (windowSize > WINDOW_MAX) {
    throw new FormatError(`zstd: window of ${windowSize} bytes, at most ${WINDOW_MAX} allowed`);
  }
  if (dictionary !== 0) throw new FormatError(`zstd: needs dictionary ${dictionary}, dictionaries are not allowed`);
  const end = endOfBlocks(frame, blocks, Math.min(windowSize, BLOCK_MAX)) + (checksum ? 4 : 0);
  if (end !== frame.length) throw new FormatError(`zstd: the frame ends at byte ${end} of ${frame.length}`);
}

/** The frame's head (RFC 8878, 3.1.1.1); `blocks` is where its blocks begin. */
function frameHead(frame) {
  if (number(frame, 0, 4) !== FRAME_MAGIC) throw new FormatError("zstd: does not start with a frame");
  const flags = number(frame, 4, 1);
  if (flags & 8) throw new FormatError("zstd: a reserved bit is set");
  const single = (flags >> 5) & 1;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3];
  const sizeBytes = [single, 2, 4, 8][flags >> 6];
  const start = 6 - single + dictionaryBytes;
  const contentSize = sizeBytes === 0 ? null : number(frame, start, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  return {
    contentSize,
    windowSize: single ? contentSize : windowOf(number(frame, 5, 1)),
    dictionary: number(frame, start - dictionaryBytes, dictionaryBytes),
    checksum: (flags & 4) > 0,
    blocks: start + sizeBytes,
  };
}

function windowOf(descriptor) {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Where the last block ends; none decodes to more than `blockMax` bytes. */
function endOfBlocks(frame, start, blockMax) {
  for (let [position, last] = [start, false]; ; ) {
    const head = number(frame, position, 3);
    const [type, size] = [(head >> 1) & 3, head >> 3];
    last = (head & 1) > 0;
    if (type === RESERVED_BLOCK || size > blockMax) throw new FormatError("zstd: a block of invalid type or size");
    if (type !== RAW_BLOCK && type !== RLE_BLOCK && size < 2) throw new FormatError("zstd: a block that is too short");
    position += 3 + (type === RLE_BLOCK ? 1 : size);
    if (last) return position;
  }
}

/** A number of `length` bytes, lowest first; above 2^53 it is rounded. */
function number(bytes, start, length) {
  if (start + length > bytes.length) throw new FormatError("zstd: the frame is cut off");
  let value = 0;
  for (let i = length - 1; i >= 0; i -= 1) value = value * 256 + bytes[start + i];
  return value;
}
