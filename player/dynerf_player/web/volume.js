/**
 * Where a clip can be watched from: the box round the cameras that filmed it, along the rig's own axes, and a margin.
 * Outside, pictures get worse; the page says so and makes moving further out harder, but forbids nothing near it.
 */
import { add, cross, dot, length, rotate, scale, subtract, unit } from "./vector.js";

const MARGIN = 0.15; // of the rig's largest side

export class Volume {
  /** `turn` is the first camera's: the box stands upright and faces the way it looks. */
  constructor({ volume, focus, up }, turn) {
    const right = unit(cross(rotate(turn, [0, 0, -1]), up));
    this.axes = [right, unit(up), cross(right, unit(up))];
    const along = this.axes.map((axis) => volume.points.map((point) => dot(point, axis)));
    this.lows = along.map((values) => Math.min(...values));
    this.highs = along.map((values) => Math.max(...values));
    const middle = this.lows.map((low, i) => (low + this.highs[i]) / 2);
    this.centre = this.axes.reduce((sum, axis, i) => add(sum, scale(axis, middle[i])), [0, 0, 0]);
    const sides = this.highs.map((high, i) => high - this.lows[i]);
    // One camera, or all in one place, spans nothing: then the distance to the subject gives the scale.
    this.extent = Math.max(...sides) || length(subtract(focus, this.centre)) / 4 || 1;
  }

  /** How far a position lies outside: 0 within the box and its margin, 1 is one largest side of the box. */
  excess(position) {
    const beyond = this.axes.map((axis, i) => {
      const value = dot(position, axis);
      return Math.max(this.lows[i] - value, value - this.highs[i], 0);
    });
    return Math.max(0, length(beyond) / this.extent - MARGIN);
  }

  /** Which share of a movement is carried out: all of it inside and on the way back, less and less on the way out. */
  resist(from, to) {
    const [before, after] = [this.excess(from), this.excess(to)];
    return after <= before ? 1 : 1 / (1 + 6 * after * after);
  }
}
