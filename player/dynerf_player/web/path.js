/**
 * A camera path: keys {position, turn, fov, time} one after another, equally long apart, smooth between. `time` is the
 * content's second at a key. Positions and turns follow Catmull-Rom splines; time and field of view are straight.
 */
import { add, dot, mix, rowsOf, scale, subtract, unit } from "./vector.js";

export class CameraPath {
  constructor() {
    this.keys = [];
    this.seconds = 4;
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
    const [from, to] = [near[1], near[2]];
    return {
      position: spline(near.map((key) => key.position), local),
      turn: unit(spline(aligned(near.map((key) => key.turn)), local)),
      fov: from.fov + (to.fov - from.fov) * local,
      time: from.time + (to.time - from.time) * local,
    };
  }

  /** All pictures of the path at a rate, each with camera and content time; `frozenAt` replaces the times. */
  pictures(fps, frozenAt = null) {
    const count = Math.max(2, Math.round(this.seconds * fps));
    const shares = Array.from({ length: count }, (_, index) => index / (count - 1));
    return shares.map((share) => ({ ...this.at(share), ...(frozenAt === null ? {} : { time: frozenAt }) }));
  }
}

/** Catmull-Rom through the inner two of four values; at the ends, where a neighbour is missing, a straight start. */
function spline([before, from, to, after], share) {
  const leave = scale(subtract(to, before), 0.5);
  const arrive = scale(subtract(after, from), 0.5);
  const rest = 1 - share;
  const curve = subtract(scale(leave, rest), scale(arrive, share));
  const bend = subtract(scale(subtract(from, to), share - rest), [0, 0, 0, 0].slice(0, from.length));
  return add(mix(from, to, share), scale(add(curve, bend), share * rest));
}

/** Quaternions with signs such that neighbours lie close: q and -q are the same turn. */
function aligned(turns) {
  const result = [turns[0]];
  for (const turn of turns.slice(1)) result.push(dot(turn, result.at(-1)) < 0 ? scale(turn, -1) : turn);
  return result;
}

/** Sixteen numbers, row by row, as nerfstudio writes a pose. */
export const matrixOf = (camera) => [...rowsOf(camera), 0, 0, 0, 1];
