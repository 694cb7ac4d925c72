/**
 * Which quality layer of which segment is loaded next, one at a time: the shown segment's first layer, then, shortly
 * before playback leaves it, the next segment's, then finer ones. What the memory budget does not hold is left out.
 */
const AHEAD_SECONDS = 4; // before the end of a segment its successor comes first
const RETRY_MS = 3000; // after an address could not be read

import { affordable, footprint } from "../render/graphics_memory.js";

/** The segment that playback reaches after `segment`: the first one again at the end. */
export const following = (clip, segment) => (segment + 1) % clip.segments.length;

/**
 * The next {segment, layer}, or null. `loaded(segment)` is the finest layer loaded, -1: none; `remaining` are the
 * seconds until playback leaves `current`, Infinity when it does not; `room` as from `affordable`.
 */
export function nextJob(clip, { current, remaining, layers, loaded, room }) {
  const finest = (segment) => Math.min(layers, clip.segments[segment].layers) - 1;
  const job = (segment, limit) => {
    const layer = loaded(segment) + 1;
    return layer <= Math.min(limit, finest(segment)) ? { segment, layer } : null;
  };
  const next = following(clip, current);
  const hasNext = next !== current && room.ahead;
  const refine = room.refine ? Infinity : 0;
  const urgent = hasNext && remaining < AHEAD_SECONDS ? job(next, 0) : null;
  return job(current, 0) ?? urgent ?? job(current, refine) ?? (hasNext ? job(next, refine) : null);
}

/** Failures by job: an invalid file is not tried again, an address that cannot be read after a while. */
export class Failures {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.jobs = new Map();
  }

  add({ segment, layer }, error) {
    const until = error.name === "RemoteError" ? this.now() + RETRY_MS : Infinity;
    this.jobs.set(`${segment}/${layer}`, until);
  }

  /** Milliseconds until a job may be tried again: 0 now, Infinity never. */
  delay({ segment, layer }) {
    return Math.max(0, (this.jobs.get(`${segment}/${layer}`) ?? 0) - this.now());
  }

  clear() {
    this.jobs.clear();
  }
}

/** Loads the layers of one clip into one renderer, until it is stopped. */
export class Loader {
  /**
   * `clip`, `renderer`, `decoder` (a `Caller`), `view`, `changes` and `budget` (bytes) are those of the session.
   * `onLayer(job)` and `onError(error, fatal)` are called for each layer; fatal: the moment cannot be shown.
   */
  constructor(session, { layers, onLayer, onError }) {
    Object.assign(this, session, { layers, onLayer, onError });
    this.failures = new Failures();
    this.room = affordable(footprint(this.renderer.layout), this.budget);
    this.stopped = new AbortController();
    this.current = null; // {segment, abort}
    this.run();
  }

  async run() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const job = this.next();
      const delay = job ? this.failures.delay(job) : Infinity;
      if (delay > 0) await this.changes.wait(delay);
      else await this.load(job);
    }
  }

  next() {
    const { clip, renderer, view, layers, room } = this;
    const { segment: current } = view.placeIn(clip);
    const left = (clip.segments[current].end - view.frame) * (clip.frameRate.den / clip.frameRate.num);
    const remaining = view.playing ? left : Infinity;
    return nextJob(clip, { current, remaining, layers, room, loaded: (segment) => renderer.layerOf(segment) });
  }

  async load(job) {
    const { segment, layer } = job;
    const abort = new AbortController();
    this.current = { segment, abort };
    this.renderer.retain((each) => each === segment || this.isNeeded(each));
    const update = this.renderer.update(segment, layer);
    try {
      const options = { onPart: (entry) => update.add(entry), signal: abort.signal };
      const grids = await this.decoder.call("load", { segment, layer, all: layer === 0 }, options);
      abort.signal.throwIfAborted();
      this.renderer.finish(segment, update, grids);
      this.onLayer(job);
    } catch (error) {
      update.cancel();
      if (abort.signal.aborted) return;
      this.failures.add(job, error);
      this.onError(error, layer === 0 && segment === this.view.placeIn(this.clip).segment);
    } finally {
      this.current = null;
      this.changes.notify();
    }
  }

  /** Whether a segment is shown, or is next and there is room for it. */
  isNeeded(segment) {
    const { segment: shown } = this.view.placeIn(this.clip);
    return segment === shown || (this.room.ahead && segment === following(this.clip, shown));
  }

  /** The view has changed: end the load of a segment that is not needed any more. */
  reconsider() {
    if (this.current && !this.isNeeded(this.current.segment))
      this.current.abort.abort(new Error("not needed any more"));
  }

  /** Try again what failed. */
  retry() {
    this.failures.clear();
  }

  stop() {
    const reason = new Error("stopped");
    this.stopped.abort(reason);
    this.current?.abort.abort(reason);
  }
}
