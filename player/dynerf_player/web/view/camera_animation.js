/** Animations of the viewer's camera: a short flight to another camera, or the preview of a path. */
import { add, dot, normalize, scale } from "./vector.js";

const FLIGHT_SECONDS = 0.45;

export class CameraAnimation {
  constructor(cameras, clock) {
    Object.assign(this, { cameras, clock, current: null });
  }

  get isRunning() {
    return this.current !== null;
  }

  get isPreview() {
    return this.current?.seeks === true;
  }

  /** Fly to a camera, or jump there where the viewer prefers reduced motion. */
  flyTo(target) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.current = null;
      this.cameras.moveTo(target);
      return;
    }
    this.current = { path: new Flight(this.cameras.camera, target), target, start: null, seeks: false };
  }

  /** Play a path (`CameraPath` in `camera_path.js`); content time follows it. `ondone` is called when it ends or is stopped. */
  preview(path, ondone) {
    this.clock.playing = false;
    this.current = { path, target: null, start: null, seeks: true, ondone };
  }

  stop() {
    const { current } = this;
    this.current = null;
    current?.ondone?.();
  }

  /** End a flight at its target, and stop a preview. */
  finish() {
    const target = this.current?.target;
    this.stop();
    if (target) this.cameras.moveTo(target);
  }

  tick(now) {
    const { current } = this;
    if (!current) return;
    current.start ??= now;
    const fraction = (now - current.start) / 1000 / current.path.seconds;
    const { time, ...camera } = current.path.at(Math.min(fraction, 1));
    this.cameras.moveTo(fraction >= 1 && current.target ? current.target : camera);
    if (current.seeks) this.clock.seek(time);
    if (fraction >= 1) this.stop();
  }
}

/** From one camera to another, slow at both ends. */
class Flight {
  seconds = FLIGHT_SECONDS;

  constructor(from, to) {
    const sign = dot(from.rotation, to.rotation) < 0 ? -1 : 1; // q and -q are the same rotation
    Object.assign(this, { from: { ...from, rotation: scale(from.rotation, sign) }, to });
  }

  /** The camera at a fraction of the flight, from 0 (start) to 1 (end). */
  at(fraction) {
    const { from, to } = this;
    const share = fraction * fraction * (3 - 2 * fraction);
    const between = (start, end) => add(scale(start, 1 - share), scale(end, share));
    return {
      position: between(from.position, to.position),
      rotation: normalize(between(from.rotation, to.rotation)),
      fov: from.fov + (to.fov - from.fov) * share,
    };
  }
}
