/**
 * Sound without interruption, from a moment of the clip on: chunks are scheduled one behind the other, sample by sample, and
 * the moment that is audible follows from the device's time alone.
 */
import { SAMPLE_RATE as RATE } from "../dnv/sound/sound_position.js";
import { BLOCK, TimeStretch } from "./time_stretch.js";

const LEAD = 0.03 * RATE; // samples between scheduling and sounding
const AHEAD = 2.5 * RATE; // samples scheduled in advance: timers of hidden pages run once a second
const CHANNELS = 2; // of stretched sound

export class Run {
  /** From `time` (seconds) at `speed`; `store` gives the chunks of `timeline`, `output` is an `Output`. */
  constructor({ output, store, timeline }, { time, speed, loop }) {
    Object.assign(this, { output, store, timeline, speed, loop });
    this.from = Math.round(time * RATE);
    this.start = Math.round(output.position + LEAD);
    this.next = this.start; // where the next block starts
    this.voice = output.voice();
    this.blocks = speed === 1 ? this.pieces() : this.stretched();
    Object.assign(this, { ended: false, stopped: false, filling: false, audible: 0, isStarving: false });
    this.fill();
    this.timer = setInterval(() => this.fill(), 200);
  }

  /** The second of the clip that is audible at a time of the page, not wrapped around; at most what is scheduled. */
  timeAt(now) {
    const passed = this.output.audibleAt(now) - this.start;
    const scheduled = this.ended ? Infinity : this.next - this.start;
    this.isStarving = passed >= scheduled;
    this.audible = Math.max(this.audible, Math.min(passed, scheduled));
    return (this.from + this.audible * this.speed) / RATE;
  }

  /** Schedule what is missing. After a block that comes too late nothing is scheduled any more: the run starves. */
  async fill() {
    if (this.filling || this.stopped) return;
    this.filling = true;
    while (!this.ended && this.next < this.output.position + AHEAD) {
      const { value, done } = await this.blocks.next();
      if (this.stopped) return;
      if (done) this.ended = true;
      else if (this.next < this.output.position) return;
      else this.schedule(value);
    }
    this.filling = false;
  }

  schedule({ planes, samples }) {
    if (planes) this.voice.play(planes, this.next);
    this.next += samples;
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.voice.stop();
  }

  /** {planes, samples}, where `planes` is null for silence. */
  async *pieces() {
    for (const { chunk, offset, samples } of this.timeline.pieces(this.from, this.loop)) {
      const planes = chunk === null ? null : await this.store.get(chunk);
      yield { planes: planes && planes.map((plane) => part(plane, offset, samples)), samples };
    }
  }

  async *stretched() {
    const stretch = new TimeStretch(CHANNELS, this.speed);
    for await (const { planes, samples } of this.pieces()) {
      stretch.write(stereo(planes ?? [new Float32Array(samples)]));
      yield* output(stretch);
    }
    stretch.write(stereo([new Float32Array(4 * BLOCK)]));
    yield* output(stretch);
  }
}

/** Samples of a plane, with zeros where it is too short. */
function part(plane, offset, samples) {
  const found = plane.subarray(offset, offset + samples);
  if (found.length === samples) return found;
  const padded = new Float32Array(samples);
  padded.set(found);
  return padded;
}

function stereo(planes) {
  return planes.length === 1 ? [planes[0], planes[0]] : planes;
}

function* output(stretch) {
  const planes = stretch.read();
  if (planes[0].length > 0) yield { planes, samples: planes[0].length };
}
