/**
 * The directory (SPEC 5): one entry per chunk, checked as a whole before any chunk is read. Chunks tile the file from
 * the end of the directory to the trailer, in the order of the directory.
 */
import { ChecksumError, FormatError, LimitError, VersionError } from "../errors.js";
import { CHUNK_HEAD_BYTES, ENTRY_BYTES } from "../layout.js";
import { SOUND, SOUND_BYTES_MAX } from "../sound/sound_payload.js";
import { OCCUPANCY_BYTES_MAX } from "../tensors/occupancy.js";
import { KNOWN_KINDS, LATENTS, LAYERS_MAX, OCCUPANCY, WEIGHTS, checkKind, isCritical } from "./chunks.js";
import { CODECS, RAW, ZSTD } from "./compression.js";
import { crc32 } from "./crc32.js";

/** Split the directory's bytes, a multiple of 40, into entries; nothing is checked here. */
export function unpackDirectory(bytes) {
  const entries = [];
  for (let start = 0; start < bytes.length; start += ENTRY_BYTES) {
    entries.push(unpackEntry(bytes.subarray(start, start + ENTRY_BYTES)));
  }
  return entries;
}

function unpackEntry(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_BYTES);
  const offset = view.getUint32(20, true) + 2 ** 32 * view.getUint32(24, true);
  const storedLength = view.getUint32(28, true);
  return {
    bytes,
    kind: String.fromCharCode(...bytes.subarray(0, 4)),
    segment: view.getUint32(4, true),
    layer: view.getUint16(8, true),
    codec: view.getUint16(10, true),
    first: view.getUint32(12, true),
    count: view.getUint32(16, true),
    offset,
    storedLength,
    decodedLength: view.getUint32(32, true),
    crc32: view.getUint32(36, true),
    end: offset + CHUNK_HEAD_BYTES + storedLength,
  };
}

/** The chunk's name in error messages. */
export function labelOf({ kind, offset }) {
  return `${kind} chunk at byte ${offset}`;
}

/** The stored bytes of a chunk, given with its head, after checking both against the entry. */
export function checkedBody(entry, chunk) {
  const expected = [...entry.bytes.subarray(0, 20), ...entry.bytes.subarray(28)];
  if (!expected.every((byte, i) => chunk[i] === byte)) {
    throw new ChecksumError(`${labelOf(entry)} is damaged: its head differs from the directory`);
  }
  const body = chunk.subarray(CHUNK_HEAD_BYTES);
  if (crc32(body, crc32(chunk.subarray(0, CHUNK_HEAD_BYTES - 4))) !== entry.crc32) {
    throw new ChecksumError(`${labelOf(entry)} is damaged: its checksum does not match`);
  }
  return body;
}

/** FormatError unless the entries tile the bytes `start` to `end` and cover every segment. */
export function checkDirectory(entries, segments, start, end, limits) {
  let position = start;
  for (const entry of entries) {
    checkEntry(entry, limits);
    if (entry.offset !== position) {
      throw new FormatError(
        `${labelOf(entry)}: expected at byte ${position}; chunks must follow each other without gaps`,
      );
    }
    position = entry.end;
  }
  if (position !== end) throw new FormatError(`chunks end at byte ${position}, expected ${end}`);
  checkPlayable(entries, segments);
  const weights = entries.filter(({ kind }) => kind === WEIGHTS);
  checkLayers(weights);
  checkChains(weights, limits);
  checkOccupancy(entries, segments);
  checkSound(entries);
}

function checkEntry(entry, limits) {
  const { kind, layer, codec, storedLength, decodedLength } = entry;
  checkKind(kind);
  const known = KNOWN_KINDS.includes(kind);
  if (!known && isCritical(kind)) {
    throw new VersionError(`${labelOf(entry)}: the kind is unknown to this reader and cannot be skipped`);
  }
  if (!CODECS.includes(codec) && known && layer === 0) {
    throw new VersionError(`${labelOf(entry)}: codec ${codec} is unknown, this reader supports ${CODECS}`);
  }
  if (decodedLength > limits.chunkBytes) {
    throw new LimitError(`${labelOf(entry)}: decodes to ${decodedLength} bytes, ${limits.chunkBytes} allowed`);
  }
  if (codec === RAW && storedLength !== decodedLength) {
    throw new FormatError(`${labelOf(entry)}: raw, but ${storedLength} bytes stored and ${decodedLength} decoded`);
  }
  if (codec === ZSTD && storedLength >= decodedLength) {
    throw new FormatError(`${labelOf(entry)}: zstd, but not smaller than its ${decodedLength} decoded bytes`);
  }
}

/** Layer 0 must be: weights of segment 0, its latents without gaps, weights of segment 1, and so on. */
function checkPlayable(entries, segments) {
  const layer0 = entries.filter(({ kind, layer }) => KNOWN_KINDS.includes(kind) && layer === 0);
  let index = 0;
  segments.forEach(({ firstFrame, frames }, number) => {
    const weights = layer0[index];
    if (weights?.kind !== WEIGHTS || weights.segment !== number) {
      throw new FormatError(`segment ${number}: its weights are missing or out of order`);
    }
    index = endOfLatents(layer0, index + 1, number, firstFrame, firstFrame + frames);
  });
  if (index < layer0.length) {
    throw new FormatError(`${labelOf(layer0[index])}: does not belong to a segment or occurs twice`);
  }
}

/** The index after the groups of latents that cover the frames `first` to `end` of a segment. */
function endOfLatents(layer0, start, segment, first, end) {
  let [index, frame] = [start, first];
  while (frame < end) {
    const group = layer0[index];
    if (group?.kind !== LATENTS || group.segment !== segment || group.first !== frame) {
      throw new FormatError(`segment ${segment}: the latents of frame ${frame} are missing or out of order`);
    }
    if (group.count < 1 || group.count > end - frame) {
      throw new FormatError(`${labelOf(group)}: ${group.count} frames from ${frame}, the segment ends at ${end}`);
    }
    frame += group.count;
    index += 1;
  }
  return index;
}

/** The layers of a segment's weights are numbered from 0 and precede those of the next segment. */
function checkLayers(weights) {
  let [segment, layer] = [0, 0];
  for (const entry of weights) {
    if (entry.layer === 0) {
      [segment, layer] = [entry.segment, 0];
    } else if (entry.segment === segment && entry.layer === layer + 1 && entry.layer < LAYERS_MAX) {
      layer += 1;
    } else {
      throw new FormatError(`${labelOf(entry)}: layer ${entry.layer} of segment ${entry.segment} is out of order`);
    }
  }
}

/**
 * A segment's weights build on none, or on the previous segment and all those that it builds on, layer by layer. This
 * rules out loops and references to missing segments.
 */
function checkChains(weights, limits) {
  let [depth, before, layers, layersBefore] = [0, 0, 0, 0];
  for (const entry of weights) {
    if (entry.layer === 0) {
      [before, depth, layersBefore, layers] = [depth, entry.first, layers, 0];
      checkDepth(entry, before, limits);
    }
    layers += 1;
    if (entry.first !== depth || (depth > 0 && layers > layersBefore)) {
      throw new FormatError(
        `${labelOf(entry)}: layer ${entry.layer} of segment ${entry.segment} builds on ${entry.first} segments of ` +
          `which the last has ${layersBefore} layers, expected ${depth} as in layer 0 and only layers that exist there`,
      );
    }
  }
}

function checkDepth(entry, before, limits) {
  const { first: depth, segment } = entry;
  if (depth > limits.chain) {
    throw new LimitError(`${labelOf(entry)}: builds on ${depth} segments, ${limits.chain} allowed`);
  }
  if (depth > 0 && (segment === 0 || depth !== before + 1)) {
    throw new FormatError(
      `${labelOf(entry)}: segment ${segment} builds on ${depth} segments, expected 0 or one more than the previous`,
    );
  }
}

/** At most one per segment: otherwise readers could use different ones. */
function checkOccupancy(entries, segments) {
  const seen = new Set();
  for (const entry of entries) {
    if (entry.kind !== OCCUPANCY || entry.layer !== 0) continue;
    if (entry.segment >= segments.length || seen.has(entry.segment)) {
      throw new FormatError(
        `${labelOf(entry)}: segment ${entry.segment} does not exist or has two occupancy chunks`,
      );
    }
    if (entry.decodedLength > OCCUPANCY_BYTES_MAX) {
      throw new LimitError(
        `${labelOf(entry)}: decodes to ${entry.decodedLength} bytes, ${OCCUPANCY_BYTES_MAX} allowed`,
      );
    }
    seen.add(entry.segment);
  }
}

/** Directly behind the latents of its frames, so at most one per group. */
function checkSound(entries) {
  entries.forEach((entry, index) => {
    if (entry.kind !== SOUND || entry.layer !== 0) return;
    const { kind, layer, segment, first, count } = entries[index - 1] ?? {};
    const behind = kind === LATENTS && layer === 0 && segment === entry.segment;
    if (!behind || first !== entry.first || count !== entry.count) {
      throw new FormatError(
        `${labelOf(entry)}: sound of ${entry.count} frames from ${entry.first}, expected directly behind the latents ` +
          "of the same frames",
      );
    }
    if (entry.decodedLength > SOUND_BYTES_MAX) {
      throw new LimitError(`${labelOf(entry)}: decodes to ${entry.decodedLength} bytes, ${SOUND_BYTES_MAX} allowed`);
    }
  });
}
