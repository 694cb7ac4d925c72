/**
 * A camera path: keys {position, turn, fov, time} one after another, equally long apart, smooth between. `time` is the
 * content's second at a key. Positions and turns follow Catmull-Rom splines; field of view and time are straight.
 * Content follows the keys' times ("keys"), is held at `heldAt` ("held") or plays from the start, round and round
 * ("plays").
 */
import { add, dot, scale, subtract, unit } from "./vector.js";

export class CameraPath {
  /** `clip` has {frames, fps, seconds}. */
  constructor(clip) {
    Object.assign(this, { clip, keys: [], seconds: 4, timing: "keys", heldAt: 0 });
  }

  get isWhole() {
    return this.keys.length > 1;
  }

  add(camera, time) {
    this.keys.push({ ...camera, time });
  }

  remove(index) {
    this.keys.splice(index, 1);
  }

  /** The camera and content time at a share of the path, 0 its start and 1 its end. */
  at(share) {
    const place = Math.min(Math.max(share, 0), 1) * (this.keys.length - 1);
    const index = Math.min(Math.floor(place), Math.max(this.keys.length - 2, 0));
    const near = [-1, 0, 1, 2].map((step) => this.keys[Math.min(Math.max(index + step, 0), this.keys.length - 1)]);
    const local = place - index;
    const between = (from, to) => from + (to - from) * local;
    return {
      position: spline(near.map((key) => key.position), local),
      turn: unit(spline(aligned(near.map((key) => key.turn)), local)),
      fov: between(near[1].fov, near[2].fov),
      time: this.timeAt(share, between(near[1].time, near[2].time)),
    };
  }

  /** Content seconds, at most the last frame's. */
  timeAt(share, keyed) {
    const { frames, fps, seconds } = this.clip;
    const times = { keys: keyed, held: this.heldAt, plays: (share * this.seconds) % seconds };
    return Math.min(times[this.timing], (frames - 1) / fps);
  }

  /** All pictures of the path at the clip's rate, each with camera and content time. */
  pictures() {
    const count = Math.max(2, Math.round(this.seconds * this.clip.fps));
    return Array.from({ length: count }, (_, index) => this.at(index / (count - 1)));
  }
}

/** Catmull-Rom through the inner two of four values (cubic Hermite with half the neighbours' difference as slope). */
function spline([before, from, to, after], s) {
  const leave = scale(subtract(to, before), 0.5);
  const arrive = scale(subtract(after, from), 0.5);
  const points = add(scale(from, (1 + 2 * s) * (1 - s) ** 2), scale(to, s * s * (3 - 2 * s)));
  return add(points, add(scale(leave, s * (1 - s) ** 2), scale(arrive, s * s * (s - 1))));
}

/** Quaternions with signs such that neighbours lie close: q and -q are the same turn. */
function aligned(turns) {
  const result = [turns[0]];
  for (const turn of turns.slice(1)) result.push(dot(turn, result.at(-1)) < 0 ? scale(turn, -1) : turn);
  return result;
}
