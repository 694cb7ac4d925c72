/**
 * Properties of a rig of cameras, as in `decoder/dynerf_decoder/cameras/rig.py`: its focus point and its vertical.
 * Cameras are poses of twelve numbers, see `vector.js`.
 */
import { add, dot, length, scale, subtract } from "./vector.js";
import { eigenvectors, solve } from "./symmetric.js";

const PARALLEL = 1e-3; // mean squared sine between optical axes below which they do not intersect
const FAR_FOCUS = 4; // times the rig's extent: the focus when optical axes do not intersect
const UP_WEIGHT = 1e-3; // weight of the mean up axis relative to the right axes

const column = (pose, index) => [pose[index], pose[4 + index], pose[8 + index]];
const origin = (pose) => column(pose, 3);
const forward = (pose) => scale(column(pose, 2), -1);
const sum = (vectors) => vectors.reduce(add);
const mean = (vectors) => scale(sum(vectors), 1 / vectors.length);

/**
 * The point nearest to all optical axes (least squares), in front of the cameras. When the axes are almost parallel, or
 * meet behind the cameras, it is a guess: four rig extents ahead.
 */
export function focusPoint(poses) {
  const origins = poses.map(origin);
  const axes = poses.map(forward);
  const point = nearestToAxes(origins, axes);
  if (point && axes.reduce((total, axis, i) => total + dot(subtract(point, origins[i]), axis), 0) > 0) return point;
  const centre = mean(origins);
  const extent = Math.max(...origins.map((each) => length(subtract(each, centre)))) || 1;
  return add(centre, scale(unit(sum(axes), axes[0]), FAR_FOCUS * extent));
}

/** The point nearest to all axes, in front or behind; null for parallel axes. */
function nearestToAxes(origins, axes) {
  const across = axes.map((axis) => [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0) - axis[i] * axis[j])));
  const normal = [0, 1, 2].map((i) => mean(across.map((matrix) => matrix[i])));
  if (eigenvectors(normal)[0].value <= PARALLEL) return null;
  const centre = mean(origins); // solve relative to it: the world's origin may be far away
  const moments = mean(across.map((matrix, n) => matrix.map((row) => dot(row, subtract(origins[n], centre)))));
  return add(centre, solve(normal, moments));
}

/**
 * The vertical: perpendicular to all right axes, as far as these differ, and near the mean up axis. The mean of the up
 * axes alone is tilted by the mean pitch, which would make an orbit's horizon roll.
 */
export function upAxis(poses) {
  const [rights, ups] = [0, 1].map((axis) => poses.map((pose) => column(pose, axis)));
  const up = unit(sum(ups), ups[0]);
  const scores = [0, 1, 2].map((i) => [0, 1, 2].map(
    (j) => UP_WEIGHT * up[i] * up[j] - rights.reduce((total, right) => total + right[i] * right[j], 0) / rights.length,
  ));
  const { vector } = eigenvectors(scores)[2];
  return dot(vector, up) >= 0 ? vector : scale(vector, -1);
}

/** The vector scaled to unit length, or `fallback` when it is zero. */
function unit(vector, fallback) {
  const size = length(vector);
  return size > 1e-9 ? scale(vector, 1 / size) : fallback;
}
