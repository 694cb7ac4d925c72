/** Moving the camera by itself: a short flight to another camera, or the preview of a path. */
import { CameraPath } from "./path.js";

const FLIGHT_SECONDS = 0.45;

export class Travel {
  constructor(cameras, clock) {
    Object.assign(this, { cameras, clock, trip: null });
  }

  get isPreview() {
    return this.trip?.seeks === true;
  }

  /** Fly to a camera, or be there at once where the viewer wants little motion. */
  flyTo(target) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.trip = null;
      this.cameras.place(target);
      return;
    }
    const path = new CameraPath(this.clock);
    path.add(this.cameras.camera, 0);
    path.add(target, 0);
    path.seconds = FLIGHT_SECONDS;
    this.trip = { path, target, start: null, seeks: false, ease: (s) => s * s * (3 - 2 * s) };
  }

  /** Play a path; content time follows it. `ondone` is called at its end, also when it is stopped. */
  preview(path, ondone) {
    this.clock.playing = false;
    this.trip = { path, target: null, start: null, seeks: true, ease: (s) => s, ondone };
  }

  stop() {
    const { trip } = this;
    this.trip = null;
    trip?.ondone?.();
  }

  tick(now) {
    const { trip } = this;
    if (!trip) return;
    trip.start ??= now;
    const share = (now - trip.start) / 1000 / trip.path.seconds;
    const { time, ...camera } = trip.path.at(trip.ease(Math.min(share, 1)));
    this.cameras.place(share >= 1 && trip.target ? trip.target : camera);
    if (trip.seeks) this.clock.seek(time);
    if (share >= 1) this.stop();
  }
}
