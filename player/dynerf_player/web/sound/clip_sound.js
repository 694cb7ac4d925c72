/**
 * The sound of a clip: plays in step with content time, and is its clock while it sounds. `follow` is called for each
 * animation frame.
 */
import { DynerfError, RemoteError } from "../dnv/errors.js";
import { importTrack } from "../worker/modules.js";
import { mayStart, Output } from "./audio_output.js";
import { ChunkStore } from "./chunk_store.js";
import { createDecoder, UnsupportedSound } from "./opus_decoder.js";
import { Run } from "./run.js";
import { Timeline } from "./sound_timeline.js";
import { Sync } from "./sync.js";

const SPEEDS = [0.5, 2]; // outside there is silence
const WAIT_MS = 2000; // that pictures wait for sound which is still to be fetched
const BLOCKED_MS = 1000; // after which a device that does not start counts as blocked
const STALLED_MS = 2000; // after which a device whose time stands still counts as failed
const IDLE_MS = 5000; // after which the device is released
const PREFETCH = 4; // seconds
const READY = 0.15; // seconds, without which no sound starts

const openTrack = async (...options) => (await importTrack()).openTrack(...options);
const PARTS = { openTrack, createDecoder, mayStart, createOutput: () => new Output() };

export class ClipSound {
  /**
   * `clip` see `openTrack`; `onblocked()` is called when the browser does not allow sound yet, `onfailure(message)` once
   * when sound cannot be fetched.
   */
  constructor(clip, { volume, muted, onblocked, onfailure }, parts = PARTS) {
    Object.assign(this, { clip, volume, muted, onblocked, onfailure, parts });
    Object.assign(this, { track: null, store: null, timeline: null, decoder: null, output: null, run: null });
    Object.assign(this, { time: null, waitsSince: null, blockedSince: null, idleSince: null, moved: null });
    Object.assign(this, { opening: null, failure: "", silent: 0, reported: false, hasRun: false, channels: null });
    this.closing = new AbortController();
    this.sync = new Sync();
  }

  /** Fetch what is needed before chunks can be. */
  prepare() {
    this.opening ??= this.open().catch((error) => this.fail(error));
    return this.opening;
  }

  async open() {
    const { signal } = this.closing;
    const [track, decoder] = await Promise.all([this.parts.openTrack(this.clip, signal), this.parts.createDecoder()]);
    const read = (index) => track.read(index, signal);
    const decode = (payload) => this.decode(decoder, payload);
    this.store = new ChunkStore({ read, decode, onfailure: (error) => this.chunkFailed(error) });
    Object.assign(this, { track, decoder, timeline: new Timeline(track.entries, track.frames, track.frameRate) });
  }

  /** The planes of a payload, null for a coding that is not known. */
  decode(decoder, payload) {
    if (payload === null) return null;
    this.channels = Math.max(this.channels ?? 1, payload.channels);
    return decoder.decode(payload);
  }

  /** A chunk is silent, unless none can be decoded. */
  chunkFailed(error) {
    if (!(error instanceof DynerfError)) this.fail(error);
    this.silent += 1;
    if (error instanceof RemoteError) this.report(error);
  }

  /** There will be no sound. */
  fail(error) {
    this.failure = sentence(error);
    this.end();
    this.report(error);
  }

  get closed() {
    return this.closing.signal.aborted;
  }

  report(error) {
    if (this.reported || this.closed || error.name === "ChangedError") return;
    this.reported = true;
    this.onfailure(sentence(error));
  }

  /** Called within an action of the viewer, in which browsers allow sound to start. */
  unlock() {
    if (this.muted || this.failure || this.closed) return;
    if (!this.output && this.parts.mayStart()) this.start();
    this.output?.resume();
  }

  start() {
    try {
      this.output = this.parts.createOutput();
      this.output.setVolume(this.volume);
    } catch (error) {
      this.fail(new UnsupportedSound(`this browser plays no sound (${error.message})`));
    }
  }

  setVolume(volume) {
    this.volume = volume;
    this.output?.setVolume(volume);
  }

  /** Sound that is switched on while pictures move joins them, and does not hold them up. */
  setMuted(muted) {
    this.muted = muted;
    if (muted) return;
    this.blockedSince = null;
    this.waitsSince = -Infinity;
  }

  /**
   * Keep step with `clock`, a `net/clock.js`. Returns the second of the clip that is audible, not wrapped around, or null
   * where there is no sound, and time passes by itself. `mayFetch`: nothing more urgent is to be fetched.
   */
  follow(clock, now, mayFetch) {
    if (this.muted || this.failure) return this.rest(now);
    if (mayFetch) this.prefetch(clock);
    if (!clock.isRunning || clock.speed < SPEEDS[0] || clock.speed > SPEEDS[1]) return this.rest(now);
    this.idleSince = null;
    if (this.isBlocked(now) || this.failure) return null;
    const { run } = this;
    if (run && (run.speed !== clock.speed || run.loop !== clock.loop || clock.time !== this.time)) this.end();
    if (!this.run && !this.isReady(clock)) return this.wait(clock.time, now);
    this.run ??= this.begin(clock);
    return this.advance(now);
  }

  /** The time that is audible. A run that starves ends there, and one whose device stands still is the last. */
  advance(now) {
    const { run } = this;
    const { audible } = run;
    const time = run.timeAt(now);
    if (this.moved === null || run.audible > audible) this.moved = now;
    run.fill();
    if (run.isStarving) {
      this.end();
      return this.wait(time, now);
    }
    if (now - this.moved < STALLED_MS) return time;
    this.fail(new UnsupportedSound("the audio device stands still"));
    return null;
  }

  /** The clock has taken over the time that `follow` returned. */
  reached(time) {
    this.time = time;
  }

  /** Nothing sounds now. */
  rest(now) {
    this.end();
    Object.assign(this, { waitsSince: null, blockedSince: null });
    this.idleSince ??= now;
    if (now - this.idleSince > IDLE_MS) this.output?.suspend();
    return null;
  }

  end() {
    this.run?.stop();
    this.run = null;
    this.moved = null;
    this.sync.reset();
  }

  begin({ time, speed, loop }) {
    this.waitsSince = null;
    return new Run(this, { time, speed, loop });
  }

  isReady({ time }) {
    if (!this.store || !this.output?.isRunning) return false;
    return this.timeline.between(time, time + READY).every(({ index }) => this.store.has(index));
  }

  /** Time stands still for a while, until the sound is there. */
  wait(time, now) {
    this.waitsSince ??= now;
    return now - this.waitsSince < WAIT_MS ? time : null;
  }

  /** Whether the browser does not allow sound before an action of the viewer. A device that has run is only slow. */
  isBlocked(now) {
    if (this.output?.isRunning) {
      Object.assign(this, { hasRun: true, blockedSince: null });
      return false;
    }
    const isAllowed = this.output !== null || this.parts.mayStart();
    if (isAllowed && this.blockedSince === null) {
      this.blockedSince = now;
      this.unlock();
    }
    if (this.hasRun || (isAllowed && now - this.blockedSince < BLOCKED_MS)) return false;
    this.onblocked();
    return true;
  }

  prefetch({ time, speed, seconds, loop }) {
    this.prepare();
    if (!this.store) return;
    const stop = time + PREFETCH * Math.max(speed, 1);
    const again = loop ? this.timeline.between(0, stop - seconds) : [];
    for (const { index } of [...this.timeline.between(time, stop), ...again]) {
      if (!this.store.has(index)) this.store.load(index);
    }
  }

  /** A picture of a second of the clip appeared at a time of the page. */
  shown(second, now) {
    const { run, clip } = this;
    if (run && run.audible > 0) this.sync.record(second, run.timeAt(now) % clip.seconds, clip.seconds);
  }

  /** Seconds of the clip by which pictures are requested before the sound that belongs to them is audible. */
  get lead() {
    return this.run ? this.sync.lead : 0;
  }

  stats() {
    const state = this.failure ? "failed" : this.muted ? "muted" : this.run ? "playing" : "silent";
    const { received = 0, requests = 0 } = this.track?.transfer ?? {};
    return {
      codec: "Opus", channels: this.channels, decoder: this.decoder?.name ?? "", state, why: this.failure,
      fetched: received, requests, silentChunks: this.silent, driftMs: this.sync.drift,
    };
  }

  close() {
    this.closing.abort(new Error("the clip was closed"));
    this.end();
    this.output?.close();
  }
}

function sentence({ name, message }) {
  return name === "UnsupportedSound" ? `Sound is not supported here: ${message}` : `No sound: ${message}`;
}
