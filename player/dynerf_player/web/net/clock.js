/**
 * Content time: which moment of the clip is shown. Seconds run from 0, the first frame, to the clip's length; frame i
 * is due at i / fps, and the last frame stays until the end. Camera animations keep their own time.
 */
export class Clock {
  constructor({ frames, fps, seconds }) {
    Object.assign(this, { frames, fps, seconds });
    this.time = 0;
    this.speed = 1;
    this.loop = true;
    this.playing = false;
    this.frozen = false;
    this.buffering = false;
    this.lastTick = null;
  }

  /** The moment in frames, at most the last frame. */
  get frame() {
    return Math.min(this.time * this.fps, this.frames - 1);
  }

  /** The moment in frames so many seconds later, as far as the clip plays on. */
  frameAfter(seconds) {
    const time = this.time + seconds;
    return Math.min((this.loop ? time % this.seconds : time) * this.fps, this.frames - 1);
  }

  /** Whether time passes: playing, not frozen, not buffering. */
  get isRunning() {
    return this.playing && !this.frozen && !this.buffering;
  }

  /**
   * Advance to a time of the page (milliseconds). A hidden page does not tick: one step is at most 250 ms. `audible` is the
   * second of the clip whose sound is audible, not wrapped around, or null where time passes by itself.
   */
  tick(now, audible = null) {
    const passed = this.lastTick === null ? 0 : Math.min(now - this.lastTick, 250) / 1000;
    this.lastTick = now;
    if (!this.isRunning) return;
    this.time = audible ?? this.time + passed * this.speed;
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

  /** Pause, and go to the next whole frame forwards (1) or backwards (-1); a looping clip wraps around. */
  step(direction) {
    this.playing = false;
    const current = Math.round(this.frame * 1000) / 1000;
    const next = direction > 0 ? Math.floor(current) + 1 : Math.ceil(current) - 1;
    const frame = this.loop ? (next + this.frames) % this.frames : next;
    this.seek(frame / this.fps);
  }
}
