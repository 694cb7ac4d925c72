/** The bytes of a clip at an http or https address, always of the version that was opened. */
import { checkRange } from "../container/source.js";
import { TruncatedError } from "../errors.js";
import { FIRST_READ } from "../layout.js";
import { DEFAULT_POLICY, RangeClient } from "./range_client.js";

const WHOLE_LIMIT = 64 * 2 ** 20;

/**
 * A source as `container/source.js` describes it. Opening fetches the first 16 KiB, which are kept; a server that does
 * not support ranges sends the whole file, which is kept as well. RemoteError when a fetch fails, ChangedError once
 * the file was replaced.
 */
export class HttpSource {
  #client;
  #start = new Uint8Array(0);

  /** `policy` replaces some of `DEFAULT_POLICY`; `wholeLimit` bounds a file that is sent whole, in bytes. */
  constructor(url, { policy = {}, wholeLimit = WHOLE_LIMIT } = {}) {
    const { href, origin, pathname } = new URL(url, globalThis.location?.href);
    this.name = origin + pathname;
    this.#client = new RangeClient(href, this.name, { ...DEFAULT_POLICY, ...policy }, wholeLimit);
    this.size = null;
  }

  /** The file's strong ETag, where the page may read it, else null. */
  get version() {
    return this.#client.version?.strong ?? null;
  }

  /** Requests and bytes so far. */
  get transfer() {
    const { requests, received } = this.#client;
    return { requests, received };
  }

  async open({ signal } = {}) {
    const { bytes } = await this.#client.fetch(0, FIRST_READ, { signal });
    this.#start = bytes;
    this.size = this.#client.version.size;
    return bytes.subarray(0, FIRST_READ);
  }

  async read(offset, length, { signal } = {}) {
    checkRange(this, offset, length);
    const start = this.#start.subarray(offset, offset + length);
    if (start.length === length) return start;
    const { first, bytes } = await this.#client.fetch(offset + start.length, offset + length, { signal });
    if (first === 0) this.#start = bytes; // the whole file
    const rest = bytes.subarray(offset + start.length - first, offset + length - first);
    if (start.length === 0 && rest.length === length) return rest;
    return this.#joined(start, rest, length);
  }

  #joined(start, rest, length) {
    if (start.length + rest.length < length) throw new TruncatedError(`${this.name}: ends before ${length} bytes`);
    const bytes = new Uint8Array(length);
    bytes.set(start);
    bytes.set(rest, start.length);
    return bytes;
  }
}
