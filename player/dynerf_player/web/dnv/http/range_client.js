/**
 * Reads a file at an address by range requests, all answered from one version of the file.
 *
 * The first response pins the version, and each later one is compared with it. The browser's cache is not used:
 * Chromium's answers with the headers that it stored and bytes of a file that was replaced since, and makes requests
 * for one address wait for each other. Requests are not conditional, because If-Match and If-Range cost a preflight
 * where the host is another one, and say no more than the ETag of the response. An interrupted transfer resumes where
 * it stopped, after a pause that doubles while nothing arrives. A server that ignores `Range` and sends the whole file
 * is accepted if the file is small.
 */
import { joined } from "../container/source.js";
import { ChangedError, RemoteError } from "../errors.js";
import { RequestSignal, TransientError, receive, sleep } from "./body.js";
import { Version } from "./version.js";

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/;
const RETRYABLE = [408, 425, 429]; // and all of 5xx
const WAIT_MAX = 30_000; // ms, whatever Retry-After says
const PROGRESS_MIN = 1024; // received bytes that reset the count of failures

/** `attempts` counts consecutive failures; the first is followed by `pause`, the next by twice that, up to `longest`. */
export const DEFAULT_POLICY = Object.freeze({ attempts: 6, pause: 200, longest: 5000, stall: 15_000 });

export class RangeClient {
  /** `wholeLimit` bounds the length of a file that a server sends only whole. */
  constructor(address, name, policy, wholeLimit) {
    Object.assign(this, { address, name, policy, wholeLimit });
    Object.assign(this, { version: null, changed: false, requests: 0, received: 0 });
  }

  /**
   * The bytes from `first` to `stop` (excluded): `{first, bytes}`, or the whole file from 0 on. The first fetch may
   * reach beyond the end of the file and then returns less.
   */
  async fetch(first, stop, { signal } = {}) {
    const progress = { bytes: new Uint8Array(stop - first), count: 0 };
    let [failures, { pause }] = [0, this.policy];
    for (;;) {
      const before = progress.count;
      try {
        return await this.request(first, stop, progress, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransientError)) throw error;
        if (progress.count - before >= PROGRESS_MIN) [failures, { pause }] = [0, this.policy];
        failures += 1;
        if (failures >= this.policy.attempts) {
          throw new RemoteError(`${this.name}: ${error.message}; gave up after ${failures} attempts`, { cause: error });
        }
        await sleep(Math.min(Math.max(pause, error.retryAfter), WAIT_MAX), signal);
        pause = Math.min(2 * pause, this.policy.longest);
      }
    }
  }

  /** Request what is missing after what was received. */
  async request(first, stop, progress, signal) {
    if (this.changed) throw this.change();
    const start = first + progress.count;
    const guard = new RequestSignal(signal, this.policy.stall);
    try {
      const response = await this.respond(start, stop, guard);
      this.checkStatus(response);
      if (response.status === 200) return { first: 0, bytes: await this.receiveWhole(response, guard) };
      const end = this.checkRange(response, start, stop);
      await this.receiveRange(response, guard, progress, end === null ? null : end - first);
      return { first, bytes: progress.bytes.subarray(0, progress.count) };
    } finally {
      guard.release();
      guard.controller.abort(); // a body that was not read to its end
    }
  }

  /** The response to a range request; TransientError when there is none. */
  async respond(first, stop, guard) {
    this.requests += 1;
    guard.beat();
    const headers = { Range: `bytes=${first}-${stop - 1}` };
    try {
      return await fetch(this.address, { headers, cache: "no-store", signal: guard.signal });
    } catch (error) {
      throw this.lost(error, guard);
    }
  }

  /** What to throw for a request that failed with `error`. */
  lost(error, guard) {
    if (guard.outer?.aborted || error instanceof RemoteError) return error;
    if (guard.signal.reason instanceof TransientError) return guard.signal.reason;
    const hint = this.version === null ? ", or its host does not allow this page to read it" : "";
    return new TransientError(`the server cannot be reached${hint} (${error.message})`);
  }

  /** Return for status 200 and 206, throw for all others. */
  checkStatus({ status, headers, url }) {
    if (this.address.startsWith("https:") && url.startsWith("http:")) {
      throw new RemoteError(`${this.name}: redirects from https to an address without encryption`);
    }
    if (status === 206 && (headers.get("Content-Encoding") ?? "identity").toLowerCase() !== "identity") {
      throw new RemoteError(`${this.name}: the server compresses the file, so its ranges are unknown`);
    }
    if (status === 200 || status === 206) return;
    if (status === 412 || (status === 416 && this.version !== null)) throw this.change();
    if (RETRYABLE.includes(status) || status >= 500) {
      throw new TransientError(`the server responds ${status}`, retryAfter(headers));
    }
    if (status === 404 || status === 410) {
      throw new RemoteError(`${this.name}: no such file on the server (${status})`);
    }
    if (status === 416) throw new RemoteError(`${this.name}: the file is empty, or the server refuses ranges (416)`);
    throw new RemoteError(`${this.name}: the server responds ${status}, expected 206`);
  }

  /** Where the sent range stops, checked against the pinned version; null where a page may not read the header. */
  checkRange({ headers }, first, stop) {
    const text = headers.get("Content-Range");
    if (text === null) {
      this.pin(new Version(null, headers));
      return null;
    }
    const match = CONTENT_RANGE.exec(text);
    if (!match) {
      throw new RemoteError(`${this.name}: the server sends Content-Range "${text.slice(0, 80)}", expected bytes`);
    }
    const [found, last, size] = match.slice(1).map(Number);
    this.pin(new Version(size, headers));
    const end = Math.min(stop, size);
    if (found !== first || last + 1 !== end) {
      throw new RemoteError(`${this.name}: the server sends bytes ${found} to ${last + 1}, expected ${first} to ${end}`);
    }
    return end;
  }

  /** Receive until `length` bytes are there; when that is not known, to the end of the body. */
  async receiveRange(response, guard, progress, length) {
    const most = length ?? progress.bytes.length;
    await this.receive(response, guard, (block) => {
      if (block.length > most - progress.count) {
        throw new RemoteError(`${this.name}: the server sends more bytes than it announced`);
      }
      progress.bytes.set(block, progress.count);
      progress.count += block.length;
    });
    const opening = length === null && !this.opened;
    if (progress.count < most && !opening) {
      throw new TransientError(`the response ends ${most - progress.count} bytes too early`);
    }
    this.opened = true;
  }

  /** The whole file, from a server that ignores ranges. */
  async receiveWhole(response, guard) {
    const announced = Number(response.headers.get("Content-Length") ?? 0);
    this.checkWhole(announced);
    const blocks = [];
    let length = 0;
    await this.receive(response, guard, (block) => {
      blocks.push(block);
      length += block.length;
      this.checkWhole(length);
    });
    this.pin(new Version(length, response.headers));
    return joined(blocks);
  }

  async receive(response, guard, take) {
    try {
      await receive(response, guard.beat, (block) => {
        this.received += block.length;
        take(block);
      });
    } catch (error) {
      throw this.lost(error, guard);
    }
  }

  checkWhole(length) {
    if (length > this.wholeLimit) {
      throw new RemoteError(
        `${this.name}: the server ignores range requests, and a file of ${length} bytes or more is too long to be ` +
          `fetched whole, at most ${this.wholeLimit} bytes`,
      );
    }
  }

  pin(version) {
    if (this.version === null) this.version = version;
    else if (!this.version.matches(version)) throw this.change();
  }

  /** Mark the file as replaced, so that nothing more is fetched; return the error to throw. */
  change() {
    this.changed = true;
    return new ChangedError(`${this.name}: the file was replaced after it was opened; open it again`);
  }
}

/** ms of the Retry-After header; dates, which depend on clocks, count as 0. */
function retryAfter(headers) {
  const text = headers.get("Retry-After") ?? "";
  return /^[0-9]{1,6}$/.test(text) ? 1000 * Number(text) : 0;
}
