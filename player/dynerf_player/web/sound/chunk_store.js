/** The decoded chunks of a clip that were used last, as far as they fit a limit in bytes. */
import { RemoteError } from "../dnv/errors.js";

const RETRY_MS = 10_000; // after a chunk could not be fetched
const LIMIT = 64 * 2 ** 20; // bytes: 170 s of stereo

export class ChunkStore {
  /**
   * `read(index)` resolves to a chunk's payload, `decode(payload)` to its planes. `onfailure(error)` is called when a chunk
   * cannot be used; it is silent then.
   */
  constructor({ read, decode, onfailure, limit = LIMIT }) {
    Object.assign(this, { read, decode, onfailure, limit, bytes: 0 });
    this.entries = new Map(); // index -> {planes} once it is there; the one used last at the end
    this.pending = new Map(); // index -> promise
  }

  /** Whether a chunk can be had at once. */
  has(index) {
    return this.entries.get(index)?.until > performance.now();
  }

  /** A chunk's planes, null for silence; at once when it is there, else a promise, which never rejects. */
  get(index) {
    const entry = this.entries.get(index);
    if (!this.has(index)) return this.load(index);
    this.entries.delete(index);
    this.entries.set(index, entry);
    return entry.planes;
  }

  load(index) {
    if (!this.pending.has(index)) {
      this.pending.set(index, this.fetch(index).finally(() => this.pending.delete(index)));
    }
    return this.pending.get(index);
  }

  async fetch(index) {
    try {
      const planes = await this.decode(await this.read(index));
      this.keep(index, planes, Infinity);
      return planes;
    } catch (error) {
      this.onfailure(error);
      this.keep(index, null, error instanceof RemoteError ? performance.now() + RETRY_MS : Infinity);
      return null;
    }
  }

  keep(index, planes, until) {
    this.entries.set(index, { planes, until });
    this.bytes += sizeOf(planes);
    for (const [oldest, entry] of this.entries) {
      if (this.bytes <= this.limit || oldest === index) break;
      this.entries.delete(oldest);
      this.bytes -= sizeOf(entry.planes);
    }
  }
}

function sizeOf(planes) {
  return (planes ?? []).reduce((sum, { byteLength }) => sum + byteLength, 0);
}
