/** Symmetric matrices of three rows: eigenvectors, and linear equations. */
import { dot } from "./vector.js";

const SWEEPS = 50; // convergence is quadratic: a few suffice
const PAIRS = [[0, 1], [0, 2], [1, 2]];

/** Eigenvalues in ascending order with their unit vectors, [{value, vector}], by Jacobi's rotations. */
export function eigenvectors(matrix) {
  const a = matrix.map((row) => [...row]);
  const v = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]; // its columns are the vectors
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    if (PAIRS.every(([p, q]) => a[p][q] === 0)) break;
    PAIRS.forEach(([p, q]) => rotate(a, v, p, q));
  }
  const found = [0, 1, 2].map((i) => ({ value: a[i][i], vector: v.map((row) => row[i]) }));
  return found.sort((one, other) => one.value - other.value);
}

/** Rotate the plane of axes p and q such that a[p][q] vanishes. */
function rotate(a, v, p, q) {
  const scale = Math.abs(a[p][p]) + Math.abs(a[q][q]);
  if (scale + Math.abs(a[p][q]) === scale) a[p][q] = a[q][p] = 0; // below the precision of the diagonal
  if (a[p][q] === 0) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of [0, 1, 2]) [a[row][p], a[row][q]] = [c * a[row][p] - s * a[row][q], s * a[row][p] + c * a[row][q]];
  [a[p], a[q]] = [a[p].map((value, i) => c * value - s * a[q][i]), a[q].map((value, i) => s * a[p][i] + c * value)];
  for (const row of v) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
}

/** The solution x of A x = b for a symmetric, regular A. */
export function solve(matrix, right) {
  const parts = eigenvectors(matrix).map(({ value, vector }) => ({ vector, amount: dot(vector, right) / value }));
  return [0, 1, 2].map((i) => parts.reduce((sum, { vector, amount }) => sum + amount * vector[i], 0));
}
