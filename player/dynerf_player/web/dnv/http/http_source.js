/** The bytes of a clip at an http or https address, always of the version that was opened. */
import { checkRange, joined } from "../container/source.js";
import { TruncatedError } from "../errors.js";
import { FIRST_READ } from "../layout.js";
import { ByteCache } from "./byte_cache.js";
import { DEFAULT_POLICY, RangeClient } from "./range_client.js";

const WHOLE_LIMIT = 64 * 2 ** 20;
const CACHE_LIMIT = 64 * 2 ** 20;

/**
 * A source as `container/source.js` describes it. Opening fetches the first 16 KiB, which are kept; a server that does
 * not support ranges sends the whole file, which is kept as well. Of what is read later, the newest bytes are kept, so
 * that a clip that is played in a loop is fetched once. RemoteError when a fetch fails, ChangedError once the file was
 * replaced.
 */
export class HttpSource {
  #client;
  #start = new Uint8Array(0);
  #cache;

  /**
   * `policy` replaces some of `DEFAULT_POLICY`. In bytes: `wholeLimit` bounds a file that is sent whole, `cacheLimit`
   * what is kept of reads.
   */
  constructor(url, { policy = {}, wholeLimit = WHOLE_LIMIT, cacheLimit = CACHE_LIMIT } = {}) {
    const { href, origin, pathname } = new URL(url, globalThis.location?.href);
    this.name = origin + pathname;
    this.#client = new RangeClient(href, this.name, { ...DEFAULT_POLICY, ...policy }, wholeLimit);
    this.#cache = new ByteCache(cacheLimit);
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
    const rest = await this.#fetch(offset + start.length, offset + length, signal);
    return start.length === 0 ? rest : joined([start, rest]);
  }

  /** Bytes that are not among those kept from opening the file. */
  async #fetch(offset, stop, signal) {
    const kept = this.#cache.get(offset, stop);
    if (kept) return kept;
    const { first, bytes } = await this.#client.fetch(offset, stop, { signal });
    const found = bytes.subarray(offset - first, stop - first);
    if (found.length < stop - offset) throw new TruncatedError(`${this.name}: ends before byte ${stop}`);
    if (bytes.length === stop - offset) this.#cache.add(offset, stop, found);
    else this.#start = bytes; // the whole file
    return found;
  }
}
