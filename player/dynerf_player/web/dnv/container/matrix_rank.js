/** The rank of a 4x4 matrix, as `numpy.linalg.matrix_rank` finds it. */
const SIZE = 4;
const SWEEPS = 30;
const TINY = 2 ** -1022;

/**
 * `matrix` is row by row. Columns are divided by their lengths first, so that the rank does not depend on the world's
 * origin; a column too long for 64-bit floats counts as zero.
 */
export function rank(matrix) {
  const columns = Array.from({ length: SIZE }, (_, column) => scaled(matrix.filter((_, i) => i % SIZE === column)));
  const values = singularValues(columns);
  const tolerance = Math.max(...values) * SIZE * Number.EPSILON;
  return values.filter((value) => value > tolerance).length;
}

function scaled(column) {
  const length = Math.sqrt(dot(column, column));
  return column.map((value) => value / Math.max(length, TINY));
}

/** Lengths of the columns after they were made orthogonal by rotations of pairs (one-sided Jacobi). */
function singularValues(columns) {
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (let i = 0; i < SIZE; i += 1) {
      for (let j = i + 1; j < SIZE; j += 1) rotate(columns, i, j);
    }
  }
  return columns.map((column) => Math.sqrt(dot(column, column)));
}

function rotate(columns, i, j) {
  const [a, b] = [columns[i], columns[j]];
  const product = dot(a, b);
  if (product === 0) return;
  const ratio = (dot(b, b) - dot(a, a)) / (2 * product);
  const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(1, ratio));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  columns[i] = a.map((value, k) => cosine * value - sine * b[k]);
  columns[j] = a.map((value, k) => sine * value + cosine * b[k]);
}

function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
