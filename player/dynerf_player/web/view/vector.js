/**
 * Vectors of three numbers, unit quaternions [x, y, z, w], and poses as in the protocol: twelve numbers, [R | o] row by
 * row, camera axes as in OpenGL (x right, y up, looking along -z). All functions return new arrays.
 */

export const add = (a, b) => a.map((value, i) => value + b[i]);
export const subtract = (a, b) => a.map((value, i) => value - b[i]);
export const scale = (a, factor) => a.map((value) => value * factor);
export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const length = (a) => Math.sqrt(dot(a, a));
export const normalize = (a) => scale(a, 1 / (length(a) || 1));

export function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** The quaternion of a rotation by an angle (radians) about a unit axis. */
export function fromAxisAngle(axis, angle) {
  return [...scale(axis, Math.sin(angle / 2)), Math.cos(angle / 2)];
}

/** The product of two quaternions: the rotation that applies b first, then a. */
export function multiply(a, b) {
  const [p, q] = [a.slice(0, 3), b.slice(0, 3)];
  const vector = add(add(scale(q, a[3]), scale(p, b[3])), cross(p, q));
  return normalize([...vector, a[3] * b[3] - dot(p, q)]);
}

export const conjugate = ([x, y, z, w]) => [-x, -y, -z, w];

/** A vector, rotated by a quaternion. */
export function rotate(rotation, vector) {
  const axis = rotation.slice(0, 3);
  const twice = scale(cross(axis, vector), 2);
  return add(add(vector, scale(twice, rotation[3])), cross(axis, twice));
}

/** Position and rotation of a matrix of twelve numbers. */
export function poseFromMatrix(matrix) {
  return { position: [matrix[3], matrix[7], matrix[11]], rotation: rotationFromMatrix(matrix) };
}

/** The twelve numbers of a pose. */
export function matrixFromPose({ position, rotation }) {
  const columns = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => rotate(rotation, axis));
  return [0, 1, 2].flatMap((row) => [...columns.map((column) => column[row]), position[row]]);
}

/** The quaternion of a rotation matrix, scaled by its largest component, so that nothing is divided by zero. */
function rotationFromMatrix(m) {
  const [xx, yy, zz] = [m[0], m[5], m[10]];
  const squares = [1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz, 1 + xx + yy + zz];
  const largest = squares.indexOf(Math.max(...squares));
  const rows = [
    [squares[0], m[1] + m[4], m[2] + m[8], m[9] - m[6]],
    [m[1] + m[4], squares[1], m[6] + m[9], m[2] - m[8]],
    [m[2] + m[8], m[6] + m[9], squares[2], m[4] - m[1]],
    [m[9] - m[6], m[2] - m[8], m[4] - m[1], squares[3]],
  ];
  return normalize(rows[largest]);
}
