/** The audio device: what is scheduled on its time line, and which moment of it is audible. Positions are in samples. */

import { SAMPLE_RATE as RATE } from "../dnv/sound/sound_position.js";

const FADE = 0.004; // seconds, so that starting and stopping does not click
const VOLUME_FADE = 0.015;
const PLAUSIBLE = 1; // seconds between two measurements of the time that is audible

/** Whether sound may start without an action of the viewer that is still to come. */
export function mayStart({ navigator } = globalThis) {
  const policy = navigator.getAutoplayPolicy?.("audiocontext");
  return policy ? policy === "allowed" : (navigator.userActivation?.hasBeenActive ?? true);
}

export class Output {
  constructor() {
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: "balanced" });
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
  }

  get isRunning() {
    return this.context.state === "running";
  }

  /** Start when the browser allows it, and go on after `suspend`. */
  resume() {
    if (!this.isRunning) this.context.resume().catch(() => {}); // it stays suspended
  }

  suspend() {
    if (this.isRunning) this.context.suspend().catch(() => {});
  }

  setVolume(volume) {
    this.gain.gain.setTargetAtTime(volume, this.context.currentTime, VOLUME_FADE / 3);
  }

  /** The next sample that is mixed. */
  get position() {
    return Math.round(this.context.currentTime * RATE);
  }

  /** The sample, fractional, that is audible at a time of the page (milliseconds). */
  audibleAt(now) {
    const { context } = this;
    const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp?.() ?? {};
    const audible = contextTime + (now - performanceTime) / 1000;
    const usual = context.currentTime - (context.outputLatency || context.baseLatency || 0);
    const isPlausible = performanceTime > 0 && Math.abs(audible - usual) < PLAUSIBLE;
    return (isPlausible ? audible : usual) * RATE;
  }

  /** Something that sounds and can be stopped. */
  voice() {
    return new Voice(this.context, this.gain);
  }

  close() {
    this.context.close().catch(() => {});
  }
}

class Voice {
  constructor(context, destination) {
    this.context = context;
    this.gain = context.createGain();
    this.gain.connect(destination);
    this.started = false;
  }

  /** Play planes, one Float32Array for each channel, from a sample of the device's time line on. */
  play(planes, at) {
    const { context } = this;
    const buffer = context.createBuffer(planes.length, planes[0].length, RATE);
    planes.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.gain);
    if (!this.started) this.fadeIn(at / RATE);
    source.start(at / RATE);
  }

  fadeIn(time) {
    this.started = true;
    this.gain.gain.setValueAtTime(0, time);
    this.gain.gain.linearRampToValueAtTime(1, time + FADE);
  }

  stop() {
    const { gain, context } = this;
    gain.gain.cancelScheduledValues(0);
    gain.gain.setTargetAtTime(0, context.currentTime, FADE / 3);
    setTimeout(() => gain.disconnect(), 1000 * (FADE + 0.05));
  }
}
