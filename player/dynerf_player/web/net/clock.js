/**
 * Content time: which moment of the clip is shown. Seconds run from 0, the first frame, to the clip's length; frame i
 * is due at i / fps, and the last frame stays until the end. The camera's time is its own and not kept here.
 */
export class Clock {
  constructor({ frames, fps, seconds }) {
    Object.assign(this, { frames, fps, seconds });
    this.time = 0;
    this.speed = 1;
    this.loop = true;
    this.playing = false;
    this.frozen = false;
    this.waiting = false;
    this.last = null;
  }

  /** The moment in frames, at most the last frame. */
  get frame() {
    return Math.min(this.time * this.fps, this.frames - 1);
  }

  /** Whether time passes: playing, not held, and the data is here. */
  get runs() {
    return this.playing && !this.frozen && !this.waiting;
  }

  /** Move on to a time of the page's clock (milliseconds). A hidden page makes no steps: a long pause counts little. */
  tick(now) {
    const passed = this.last === null ? 0 : Math.min(now - this.last, 250) / 1000;
    this.last = now;
    if (!this.runs) return;
    this.time += passed * this.speed;
    if (this.time < this.seconds) return;
    if (this.loop) {
      this.time %= this.seconds;
    } else {
      this.time = (this.frames - 1) / this.fps;
      this.playing = false;
    }
  }

  /** Play or pause; at the end of a clip that does not loop, play starts again. */
  toggle() {
    this.playing = !this.playing;
    if (this.playing && !this.loop && this.frame >= this.frames - 1) this.time = 0;
  }

  /** Go to a second of the clip. */
  seek(time) {
    this.time = Math.min(Math.max(time, 0), (this.frames - 1) / this.fps);
  }

  /** Pause, and go to the next whole frame forwards (1) or backwards (-1); a looping clip goes round. */
  step(direction) {
    this.playing = false;
    const whole = Math.round(this.frame * 1000) / 1000;
    const next = direction > 0 ? Math.floor(whole) + 1 : Math.ceil(whole) - 1;
    const frame = this.loop ? (next + this.frames) % this.frames : next;
    this.seek(frame / this.fps);
  }
}

/** Seconds as m:ss.cc. */
export function timeText(seconds) {
  const hundredths = Math.round(seconds * 100);
  const [minutes, rest] = [Math.floor(hundredths / 6000), hundredths % 6000];
  return `${minutes}:${(rest / 100).toFixed(2).padStart(5, "0")}`;
}
