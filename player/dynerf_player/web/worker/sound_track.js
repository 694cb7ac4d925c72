/** The sound of a clip's file: which chunks there are, and their contents. */
import { isSound } from "../dnv/container/chunk_lookup.js";
import { Reader } from "../dnv/container/reader.js";
import { DEFAULT_LIMITS, HttpSource } from "../dnv/index.js";
import { unpackSound } from "../dnv/sound/sound_payload.js";

/**
 * Open the sound of the file at `src`. `known` is {header, directory, size} where the file was opened before, so that its
 * start is not fetched again.
 */
export async function openTrack({ src, known }, signal) {
  const source = new HttpSource(src);
  const reader = known
    ? new Reader(source, DEFAULT_LIMITS, { fileLength: known.size }, known.header, known.directory)
    : await Reader.open(source, DEFAULT_LIMITS, { signal });
  return new Track(reader);
}

class Track {
  constructor(reader) {
    this.reader = reader;
    this.entries = reader.directory.filter(isSound);
  }

  get frames() {
    return this.reader.header.frames;
  }

  get frameRate() {
    const { fpsNumerator: num, fpsDenominator: den } = this.reader.header;
    return { num, den };
  }

  /** Requests and bytes so far. */
  get transfer() {
    return this.reader.source.transfer;
  }

  /** A chunk by its number among `entries`: {channels, trim, samples, packets}. */
  async read(index, signal) {
    return unpackSound(await this.reader.readChunk(this.entries[index], { signal }));
  }
}
