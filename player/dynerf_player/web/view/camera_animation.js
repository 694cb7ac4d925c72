/** Animations of the viewer's camera: a short flight to another camera, or the preview of a path. */
import { CameraPath } from "./path.js";

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
    const path = new CameraPath(this.clock);
    path.add(this.cameras.camera, 0);
    path.add(target, 0);
    path.seconds = FLIGHT_SECONDS;
    this.current = { path, target, start: null, seeks: false, ease: (s) => s * s * (3 - 2 * s) };
  }

  /** Play a path; content time follows it. `ondone` is called when it ends or is stopped. */
  preview(path, ondone) {
    this.clock.playing = false;
    this.current = { path, target: null, start: null, seeks: true, ease: (s) => s, ondone };
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
    const { time, ...camera } = current.path.at(current.ease(Math.min(fraction, 1)));
    this.cameras.moveTo(fraction >= 1 && current.target ? current.target : camera);
    if (current.seeks) this.clock.seek(time);
    if (fraction >= 1) this.stop();
  }
}
