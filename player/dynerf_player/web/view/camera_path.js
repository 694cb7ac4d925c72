/**
 * A camera path: keyframes {position, rotation, fov, time} at equal intervals, interpolated smoothly. `time` is the
 * content's second at a keyframe. Positions and rotations follow Catmull-Rom splines; field of view and time are
 * linear. Content time follows the keyframes ("keys"), is fixed at `heldAt` ("held") or plays from the start in a
 * loop ("plays").
 */
import { add, dot, normalize, scale, subtract } from "./vector.js";

export class CameraPath {
  /** `clip` has {frames, fps, seconds}. */
  constructor(clip) {
    Object.assign(this, { clip, keys: [], seconds: 4, timing: "keys", heldAt: 0 });
  }

  get isComplete() {
    return this.keys.length > 1;
  }

  add(camera, time) {
    this.keys.push({ ...camera, time });
  }

  remove(index) {
    this.keys.splice(index, 1);
  }

  /** The camera and content time at a fraction of the path, from 0 (start) to 1 (end). */
  at(fraction) {
    const offset = Math.min(Math.max(fraction, 0), 1) * (this.keys.length - 1);
    const index = Math.min(Math.floor(offset), Math.max(this.keys.length - 2, 0));
    const near = [-1, 0, 1, 2].map((step) => this.keys[Math.min(Math.max(index + step, 0), this.keys.length - 1)]);
    const local = offset - index;
    const linear = (from, to) => from + (to - from) * local;
    return {
      position: spline(near.map((key) => key.position), local),
      rotation: normalize(spline(aligned(near.map((key) => key.rotation)), local)),
      fov: linear(near[1].fov, near[2].fov),
      time: this.timeAt(fraction, linear(near[1].time, near[2].time)),
    };
  }

  /** Content time in seconds, at most the last frame's. */
  timeAt(fraction, keyed) {
    const { frames, fps, seconds } = this.clip;
    const times = { keys: keyed, held: this.heldAt, plays: (fraction * this.seconds) % seconds };
    return Math.min(times[this.timing], (frames - 1) / fps);
  }

  /** All pictures of the path at the clip's frame rate, each with camera and content time. */
  pictures() {
    const count = Math.max(2, Math.round(this.seconds * this.clip.fps));
    return Array.from({ length: count }, (_, index) => this.at(index / (count - 1)));
  }
}

/** Catmull-Rom between the inner two of four values (cubic Hermite; slopes are half the neighbours' differences). */
function spline([before, from, to, after], s) {
  const startSlope = scale(subtract(to, before), 0.5);
  const endSlope = scale(subtract(after, from), 0.5);
  const points = add(scale(from, (1 + 2 * s) * (1 - s) ** 2), scale(to, s * s * (3 - 2 * s)));
  return add(points, add(scale(startSlope, s * (1 - s) ** 2), scale(endSlope, s * s * (s - 1))));
}

/** Quaternions with signs such that neighbours lie close: q and -q are the same rotation. */
function aligned(rotations) {
  const result = [rotations[0]];
  for (const rotation of rotations.slice(1)) {
    result.push(dot(rotation, result.at(-1)) < 0 ? scale(rotation, -1) : rotation);
  }
  return result;
}
