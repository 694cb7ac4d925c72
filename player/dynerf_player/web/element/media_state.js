/**
 * What HTMLMediaElement defines of loading and playing: states, promises, and the order of events. `fire(type)` dispatches
 * an event; it is called in a microtask, so that listeners added after a method call get it.
 */
export const NETWORK = { EMPTY: 0, IDLE: 1, LOADING: 2, NO_SOURCE: 3 };
export const READY = { NOTHING: 0, METADATA: 1, CURRENT_DATA: 2, FUTURE_DATA: 3, ENOUGH_DATA: 4 };
const TIMEUPDATE_MS = 250;
const CODES = { ABORTED: 1, NETWORK: 2, DECODE: 3, SRC_NOT_SUPPORTED: 4 };

export class MediaState {
  constructor(fire) {
    this.fire = fire;
    this.promises = [];
    this.paused = true;
    this.reset();
  }

  reset() {
    Object.assign(this, { networkState: NETWORK.EMPTY, readyState: READY.NOTHING, error: null });
    Object.assign(this, { seeking: false, atEnd: false, loadedData: false, lastUpdate: -Infinity });
  }

  queue(...types) {
    for (const type of types) queueMicrotask(() => this.fire(type));
  }

  /** The source is taken away. */
  unload() {
    if (this.networkState === NETWORK.EMPTY) return;
    if (this.networkState === NETWORK.LOADING) this.queue("abort");
    this.queue("emptied");
    this.rejectAll("AbortError", "The play() request was interrupted by a new load request.");
    this.paused = true;
    this.reset();
  }

  /** A source is fetched; `starts`: it plays as soon as it can. */
  load(starts) {
    this.networkState = NETWORK.LOADING;
    this.queue("loadstart");
    if (!starts || !this.paused) return;
    this.paused = false;
    this.queue("play");
  }

  /** The metadata is known. */
  opened() {
    this.readyState = READY.METADATA;
    this.queue("durationchange", "loadedmetadata", "resize");
  }

  /** Nothing more is fetched until something changes. */
  idle() {
    if (this.networkState !== NETWORK.LOADING) return;
    this.networkState = NETWORK.IDLE;
    this.queue("suspend");
  }

  progress() {
    if (this.networkState === NETWORK.IDLE) this.networkState = NETWORK.LOADING;
    this.queue("progress");
  }

  /** The picture of the current position is shown. */
  available() {
    const before = this.readyState;
    this.readyState = READY.ENOUGH_DATA;
    if (before === READY.ENOUGH_DATA) return;
    if (!this.loadedData) this.queue("loadeddata");
    this.loadedData = true;
    this.queue("canplay");
    if (!this.paused) this.startedPlaying();
    this.queue("canplaythrough");
  }

  /** The current position has no picture yet. */
  missing() {
    if (this.readyState < READY.FUTURE_DATA) return;
    this.readyState = READY.CURRENT_DATA;
    if (!this.paused) this.queue("waiting");
  }

  startedPlaying() {
    this.queue("playing");
    this.promises.splice(0).forEach(({ resolve }) => queueMicrotask(resolve));
  }

  /** Resolves when playback has started; rejects with a DOMException: "AbortError" or "NotSupportedError". */
  play() {
    if (this.error) return Promise.reject(new DOMException(this.error.message, "NotSupportedError"));
    const promise = new Promise((resolve, reject) => { this.promises.push({ resolve, reject }); });
    if (this.paused) {
      this.paused = false;
      this.queue("play");
      if (this.readyState >= READY.FUTURE_DATA) this.startedPlaying();
      else if (this.readyState > READY.NOTHING) this.queue("waiting");
    } else if (this.readyState >= READY.FUTURE_DATA) {
      this.promises.splice(0).forEach(({ resolve }) => resolve());
    }
    return promise;
  }

  pause() {
    if (this.paused) return;
    this.paused = true;
    this.queue("timeupdate", "pause");
    this.rejectAll("AbortError", "The play() request was interrupted by a call to pause().");
  }

  seek() {
    this.seeking = true;
    this.atEnd = false;
    this.queue("seeking");
  }

  /** The position sought is shown. */
  sought() {
    if (!this.seeking) return;
    this.seeking = false;
    this.queue("timeupdate", "seeked");
  }

  /** Playback has reached the end. */
  ended() {
    this.atEnd = true;
    this.paused = true;
    this.queue("timeupdate", "pause", "ended");
  }

  /** Time passes. */
  advanced(now) {
    if (now - this.lastUpdate < TIMEUPDATE_MS) return;
    this.lastUpdate = now;
    this.queue("timeupdate");
  }

  /** Nothing can be shown: `failure` {name, message}. */
  fail({ name, message }) {
    const code = this.codeOf(name);
    this.error = { code, message, name };
    if (code === CODES.SRC_NOT_SUPPORTED) this.networkState = NETWORK.NO_SOURCE;
    else this.networkState = NETWORK.IDLE;
    this.queue("error");
    this.rejectAll("NotSupportedError", message);
  }

  codeOf(name) {
    if (this.readyState === READY.NOTHING || name === "NotSupportedError") return CODES.SRC_NOT_SUPPORTED;
    return name === "RemoteError" ? CODES.NETWORK : CODES.DECODE;
  }

  /** What had failed is there. */
  recovered() {
    this.error = null;
  }

  rejectAll(name, message) {
    this.promises.splice(0).forEach(({ reject }) => reject(new DOMException(message, name)));
  }
}

/** As TimeRanges: `ranges` in seconds, [[start, end]]. */
export class TimeRanges {
  #ranges;

  constructor(ranges) {
    this.#ranges = ranges;
  }

  get length() {
    return this.#ranges.length;
  }

  start(index) {
    return this.#at(index)[0];
  }

  end(index) {
    return this.#at(index)[1];
  }

  #at(index) {
    if (!this.#ranges[index]) throw new DOMException(`There is no range ${index}.`, "IndexSizeError");
    return this.#ranges[index];
  }
}
