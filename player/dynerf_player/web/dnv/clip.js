/** An opened clip: what a renderer needs, loaded on demand. */
import { ancillaryEntry, groupOf, isSound, latentsGroups } from "./container/chunk_lookup.js";
import { OCCUPANCY, unpackLatents } from "./container/chunks.js";
import { moment, segmentAt } from "./container/header.js";
import { Reader } from "./container/reader.js";
import { WeightsLoader } from "./container/weights.js";
import { FormatError, ViewError, namingSource } from "./errors.js";
import { DEFAULT_LIMITS } from "./limits.js";
import { abortable, finish } from "./pause.js";
import { unpackSound } from "./sound/sound_payload.js";
import { unpackOccupancy } from "./tensors/occupancy.js";

const GROUPS_KEPT = 8;

/** Open a clip from a source; `limits` replace some of `DEFAULT_LIMITS`. */
export async function openClip(source, { limits = {}, signal } = {}) {
  return new Clip(await Reader.open(source, { ...DEFAULT_LIMITS, ...limits }, { signal }));
}

/**
 * `header` is that of the file. `segments` has, for each segment, its frames from `start` to `end` (excluded), the
 * number of usable quality `layers`, their sizes in `bytes`, and `depth`, the number of segments that it builds on;
 * `groups` the frames and size of each group of latents, `sounds` of each group that has sound.
 */
export class Clip {
  #reader;
  #weights;
  #groups;
  #sounds;
  #latents = new Map(); // by number of the group, the one used last at the end: promises of tensors

  constructor(reader) {
    this.#reader = reader;
    this.#weights = new WeightsLoader(reader);
    this.#groups = latentsGroups(reader.directory);
    this.header = reader.header;
    this.segments = this.#weights.usable.map((entries, number) => describeSegment(entries, reader.header.segments[number]));
    this.groups = this.#groups.map(describeGroup);
    this.#sounds = reader.directory.filter(isSound);
    this.sounds = this.#sounds.map(describeGroup);
  }

  get cameras() {
    return this.header.cameras;
  }

  get frameCount() {
    return this.header.frames;
  }

  get frameRate() {
    return { num: this.header.fpsNumerator, den: this.header.fpsDenominator };
  }

  /** Seconds. */
  get duration() {
    return (this.frameCount * this.header.fpsDenominator) / this.header.fpsNumerator;
  }

  /** Bytes of the whole file. */
  get size() {
    return this.#reader.size;
  }

  /** The strong ETag of the file, or null. */
  get version() {
    return this.#reader.source.version;
  }

  /** The opened file, for `verify`. */
  get reader() {
    return this.#reader;
  }

  /** The number of the segment that holds a frame. */
  segmentAt(frame) {
    return segmentAt(this.header, frame);
  }

  /** `{frame, weight}` of a fractional frame number: the frame at or before it, and the weight of the next latent. */
  moment(frame) {
    return moment(this.header, frame);
  }

  /**
   * Load a segment's weights up to a quality layer: `{segment, layer, tensors, changed}`. `tensors` is a Map of all
   * tensors by name, `changed` lists those that this layer holds.
   *
   * Layers below are loaded first where they are missing, and so are the segments that this one builds on. The next
   * layer refines the same canvases in place.
   */
  async loadLayer(segment, layer, { signal } = {}) {
    const known = this.segments[segment];
    if (!known || !Number.isInteger(layer) || layer < 0 || layer >= known.layers) {
      throw new ViewError(`layer ${layer} of segment ${segment} requested, the clip does not have it`);
    }
    const tensors = await this.#weights.load(segment, layer, { signal });
    const changed = [...tensors.values()].filter((tensor) => tensor.layer === layer).map(({ name }) => name);
    return { segment, layer, tensors, changed };
  }

  /** The latent of a whole frame, as Float64Array; its values are exact in single precision. */
  async latents(frame, { signal } = {}) {
    const number = groupOf(this.#groups, frame);
    const latents = await abortable(this.#group(number), signal);
    return latents.row(frame - this.#groups[number].first);
  }

  /**
   * The occupancy grids of a segment, `{coarse, fine}`, each null or `{size, cells}`; null when the file has none, or
   * they do not hold for weights of this number of layers.
   */
  async grids(segment, layers, { signal } = {}) {
    const entry = ancillaryEntry(this.#reader.directory, OCCUPANCY, segment);
    if (!entry) return null;
    const payload = await this.#reader.readChunk(entry, { signal });
    const found = await namingSource(this.#reader.source.name, () => unpackOccupancy(payload));
    return found.layers === layers ? { coarse: found.coarse, fine: found.fine } : null;
  }

  /** The packets of one of `sounds`, by its number: see `unpackSound`. */
  async sound(number, { signal } = {}) {
    const payload = await this.#reader.readChunk(this.#sounds[number], { signal });
    return namingSource(this.#reader.source.name, () => unpackSound(payload));
  }

  /** A group of latents, fetched once while it is used now and then; several callers may wait for it. */
  #group(number) {
    const loading = this.#latents.get(number) ?? this.#loadGroup(number);
    this.#latents.delete(number);
    this.#latents.set(number, loading);
    loading.catch(() => this.#latents.delete(number));
    if (this.#latents.size > GROUPS_KEPT) this.#latents.delete(this.#latents.keys().next().value);
    return loading;
  }

  async #loadGroup(number) {
    const entry = this.#groups[number];
    const payload = await this.#reader.readChunk(entry);
    return namingSource(this.#reader.source.name, async () => {
      const latents = await finish(unpackLatents(payload, entry.count, this.#reader.limits.elements));
      const dimensions = latents.shape[1];
      this.dimensions ??= dimensions;
      if (this.dimensions !== dimensions) {
        throw new FormatError(`latents of ${dimensions} and of ${this.dimensions} dimensions in one clip`);
      }
      return latents;
    });
  }
}

function describeSegment(entries, { firstFrame, frames }) {
  return {
    start: firstFrame,
    end: firstFrame + frames,
    layers: entries.length,
    bytes: entries.map(({ offset, end }) => end - offset),
    depth: entries[0].first,
  };
}

function describeGroup({ segment, first, count, offset, end }) {
  return { segment, start: first, end: first + count, bytes: end - offset };
}
