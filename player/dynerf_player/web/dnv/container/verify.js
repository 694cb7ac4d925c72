/** Reads and decodes a whole file once and compares every checksum. */
import { ChecksumError, DynerfError, namingSource } from "../errors.js";
import { TRAILER_BYTES, TRAILER_TAG } from "../layout.js";
import { finish } from "../pause.js";
import { unpackSound } from "../sound/sound_payload.js";
import { unpackOccupancy } from "../tensors/occupancy.js";
import { isSound } from "./chunk_lookup.js";
import { LATENTS, OCCUPANCY, WEIGHTS, unpackLatents } from "./chunks.js";
import { CODECS } from "./compression.js";
import { checkedBody } from "./directory.js";
import { addLayer, continuedSegments } from "./weights.js";

const DIGEST_BYTES = 32;

/**
 * Resolves to the SHA-256 in hex when everything is valid. `visit(entry, tensors)` is called with the tensors after
 * each chunk of weights or latents. Needs `crypto.subtle`, which browsers have on https and localhost only.
 */
export function verify(reader, { signal, visit = () => {} } = {}) {
  return namingSource(reader.source.name, async () => {
    const bytes = await reader.source.read(0, reader.size, { signal });
    const decoded = new DecodedWeights(continuedSegments(reader.directory));
    for (const entry of reader.directory) {
      const body = checkedBody(entry, bytes.subarray(entry.offset, entry.end));
      const tensors = await finish(checkContent(reader, entry, body, decoded), { signal });
      if (tensors) visit(entry, tensors);
    }
    return checkTrailer(bytes);
  });
}

/** Decode a chunk, unless a reader may skip it; a generator that returns its tensors, if any. */
function* checkContent(reader, entry, body, decoded) {
  const { kind, layer, codec, count } = entry;
  if (!CODECS.includes(codec) || (kind === WEIGHTS && !decoded.accepts(entry))) return null;
  const payload = reader.decode(entry, body);
  if (kind === WEIGHTS) return yield* decoded.add(entry, payload, reader.limits);
  if (kind === LATENTS && layer === 0) {
    const latents = yield* unpackLatents(payload, count, reader.limits.elements);
    return new Map([[latents.name, latents]]);
  }
  if (kind === OCCUPANCY && layer === 0) unpackOccupancy(payload);
  if (isSound(entry)) unpackSound(payload);
  return null;
}

/** The decoded weights that later chunks may build on. */
class DecodedWeights {
  constructor(continued) {
    Object.assign(this, { continued, found: [], previous: [], layers: 0 });
  }

  /** Whether a chunk is usable: no layer below it, in either segment, has an unknown codec. */
  accepts(entry) {
    if (entry.layer === 0) {
      this.previous = entry.first > 0 ? this.found : [];
      [this.found, this.layers] = [[], 0];
    }
    return entry.layer === this.layers && (entry.first === 0 || entry.layer < this.previous.length);
  }

  *add(entry, payload, limits) {
    const keep = this.continued.has(entry.segment);
    const tensors = yield* addLayer(entry, payload, limits, { found: this.found, previous: this.previous, keep });
    this.found = keep ? [...this.found, tensors] : [tensors];
    this.layers += 1;
    return tensors;
  }
}

async function checkTrailer(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new DynerfError("the SHA-256 cannot be computed: the page is neither on https nor on localhost");
  }
  const [start, end] = [bytes.length - TRAILER_BYTES, bytes.length - DIGEST_BYTES];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice(0, end)));
  const stored = bytes.subarray(end);
  const equal = digest.every((byte, i) => byte === stored[i]);
  if (!equal || !TRAILER_TAG.every((byte, i) => bytes[start + i] === byte)) {
    throw new ChecksumError("the file is damaged: the SHA-256 in its trailer does not match");
  }
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
