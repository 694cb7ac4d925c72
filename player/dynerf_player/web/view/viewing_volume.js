/**
 * Where a clip is meant to be viewed from: the viewing volume that it declares, and a margin, as in `dynerf decode`.
 * Outside, quality drops: the page shows a hint and slows movement away from the volume.
 */
import { distanceToHull } from "./hull.js";
import { length, subtract } from "./vector.js";

/** The diagonal of the bounding box of points; 0 without any. */
export function diagonal(points) {
  return length([0, 1, 2].map((axis) => {
    const values = points.map((point) => point[axis]);
    return points.length ? Math.max(...values) - Math.min(...values) : 0;
  }));
}

export class ViewingVolume {
  /** `volume` and `focus` of a clip's description; without points everywhere is inside. */
  constructor({ volume, focus }) {
    const { points, margin } = volume;
    Object.assign(this, { points, margin });
    // Cameras at a single position span nothing: then the distance to the focus gives the scale.
    this.extent = diagonal(points) || (points.length && length(subtract(focus, points[0])) / 4) || 1;
  }

  /** Distance of a position from the volume and its margin, 0 inside, in diagonals of the volume's bounding box. */
  distance(position) {
    return Math.max(0, distanceToHull(this.points, position) - this.margin) / this.extent;
  }

  /** The fraction of a movement to carry out: 1 inside and on the way back, less with the distance on the way out. */
  allowedFraction(from, to) {
    const [before, after] = [this.distance(from), this.distance(to)];
    return after <= before ? 1 : 1 / (1 + 6 * after * after);
  }
}
