/**
 * Vectors of three numbers, unit quaternions [x, y, z, w], and poses as the protocol writes them: twelve numbers,
 * [R | o] row by row, camera axes as in OpenGL (x right, y up, looking along -z). All functions return new arrays.
 */

export const add = (a, b) => a.map((value, i) => value + b[i]);
export const subtract = (a, b) => a.map((value, i) => value - b[i]);
export const scale = (a, factor) => a.map((value) => value * factor);
export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const length = (a) => Math.sqrt(dot(a, a));
export const unit = (a) => scale(a, 1 / (length(a) || 1));

export function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** The quaternion that turns by an angle (radians) about a unit axis. */
export function turnAbout(axis, angle) {
  return [...scale(axis, Math.sin(angle / 2)), Math.cos(angle / 2)];
}

/** The turn that does b first, then a. */
export function compose(a, b) {
  const [p, q] = [a.slice(0, 3), b.slice(0, 3)];
  const vector = add(add(scale(q, a[3]), scale(p, b[3])), cross(p, q));
  return unit([...vector, a[3] * b[3] - dot(p, q)]);
}

/** A vector, turned. */
export function rotate(turn, vector) {
  const axis = turn.slice(0, 3);
  const twice = scale(cross(axis, vector), 2);
  return add(add(vector, scale(twice, turn[3])), cross(axis, twice));
}

/** Position and turn of a pose of twelve numbers. */
export function poseOf(rows) {
  return { position: [rows[3], rows[7], rows[11]], turn: turnOf(rows) };
}

/** The twelve numbers of a position and a turn. */
export function rowsOf({ position, turn }) {
  const columns = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => rotate(turn, axis));
  return [0, 1, 2].flatMap((row) => [...columns.map((column) => column[row]), position[row]]);
}

/** The quaternion of a rotation matrix; the largest component is found first, so that nothing is divided by zero. */
function turnOf(m) {
  const [xx, yy, zz] = [m[0], m[5], m[10]];
  const squares = [1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz, 1 + xx + yy + zz];
  const largest = squares.indexOf(Math.max(...squares));
  const parts = [
    [squares[0], m[1] + m[4], m[2] + m[8], m[9] - m[6]],
    [m[1] + m[4], squares[1], m[6] + m[9], m[2] - m[8]],
    [m[2] + m[8], m[6] + m[9], squares[2], m[4] - m[1]],
    [m[9] - m[6], m[2] - m[8], m[4] - m[1], squares[3]],
  ];
  return unit(parts[largest]);
}
