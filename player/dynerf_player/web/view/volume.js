/**
 * Where a clip is meant to be watched from: the viewing volume that it declares, and a margin, as `dynerf decode` has
 * it. Outside, pictures get worse; the page says so and makes moving further out harder, but forbids nothing near it.
 */
import { distanceToHull } from "./hull.js";
import { length, subtract } from "./vector.js";

export class Volume {
  /** `volume` and `focus` of a clip's description; without points everywhere is inside. */
  constructor({ volume, focus }) {
    const { points, margin } = volume;
    Object.assign(this, { points, margin });
    const sides = [0, 1, 2].map((axis) => {
      const values = points.map((point) => point[axis]);
      return points.length ? Math.max(...values) - Math.min(...values) : 0;
    });
    // One camera, or all in one place, spans nothing: then the distance to the subject gives the scale.
    this.extent = length(sides) || (points.length && length(subtract(focus, points[0])) / 4) || 1;
  }

  /** How far a position lies outside the volume and its margin, in diagonals of the box round the volume. */
  excess(position) {
    return Math.max(0, distanceToHull(this.points, position) - this.margin) / this.extent;
  }

  /** Which share of a movement is carried out: all of it inside and on the way back, less and less on the way out. */
  resist(from, to) {
    const [before, after] = [this.excess(from), this.excess(to)];
    return after <= before ? 1 : 1 / (1 + 6 * after * after);
  }
}
