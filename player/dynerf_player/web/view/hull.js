/**
 * Distance of a position from the convex hull of points, as in `decoder/dynerf_decoder/cameras/viewing_volume.py`:
 * Wolfe's method for the point of least norm in a polytope (Mathematical Programming 11, 1976). The hull may be flat, a
 * line or a point.
 */
import { add, dot, length, scale, subtract } from "./vector.js";

const TOLERANCE = 1e-12; // of the squared extent: convergence
const MAX_ITERATIONS = 1000; // a few suffice in three dimensions; a malicious hull must not block the page
const DEPENDENT = 1e-12; // of the largest square: below it directions count as linearly dependent

/** The distance of a position from the hull of corners; 0 inside, up to rounding, and without corners. */
export function distanceToHull(corners, position) {
  if (!corners.length) return 0;
  const points = corners.map((corner) => subtract(corner, position));
  const squares = points.map((point) => dot(point, point));
  const limit = TOLERANCE * Math.max(...squares);
  let active = [squares.indexOf(Math.min(...squares))];
  let weights = [1];
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration += 1) {
    const nearest = combination(points, active, weights);
    const along = points.map((point) => dot(point, nearest));
    const candidate = along.indexOf(Math.min(...along));
    if (active.includes(candidate) || dot(nearest, nearest) - along[candidate] <= limit) break;
    [active, weights] = minorCycle(points, [...active, candidate], [...weights, 0]);
  }
  return length(combination(points, active, weights));
}

const combination = (points, active, weights) =>
  active.reduce((sum, corner, i) => add(sum, scale(points[corner], weights[i])), [0, 0, 0]);

/** Drop corners until the point of least norm of their affine hull lies inside their convex hull. */
function minorCycle(points, active, weights) {
  for (;;) {
    const target = affineWeights(active.map((corner) => points[corner]));
    if (target.every((weight) => weight > 0)) return [active, target];
    const fractions = target.map((weight, i) => (weight <= 0 ? weights[i] / (weights[i] - weight || 1) : Infinity));
    const fraction = Math.min(...fractions);
    const moved = weights.map((weight, i) => weight + fraction * (target[i] - weight));
    const leaving = moved.map((weight, i) => (target[i] <= 0 ? weight : Infinity));
    const first = leaving.indexOf(Math.min(...leaving)); // at least one is dropped, despite rounding
    const kept = moved.map((weight, i) => i !== first && (target[i] > 0 || weight > 1e-12));
    active = active.filter((_, i) => kept[i]);
    const rest = moved.filter((_, i) => kept[i]);
    const sum = rest.reduce((total, weight) => total + weight, 0);
    weights = rest.map((weight) => weight / sum);
  }
}

/** Weights of sum one, of any sign, whose combination has the least norm. */
function affineWeights([first, ...others]) {
  // Gram-Schmidt on the directions from the first point to the others; `parts` are coefficients in these directions.
  const spans = others.map((point) => subtract(point, first));
  const largest = Math.max(0, ...spans.map((span) => dot(span, span)));
  const bases = [];
  for (const [i, span] of spans.entries()) {
    let direction = span;
    const parts = others.map((_, j) => (j === i ? 1 : 0));
    for (const basis of bases) {
      const amount = dot(direction, basis.direction) / basis.square;
      direction = subtract(direction, scale(basis.direction, amount));
      basis.parts.forEach((part, j) => (parts[j] -= amount * part));
    }
    const square = dot(direction, direction);
    if (square > DEPENDENT * largest) bases.push({ direction, square, parts });
  }
  const weights = others.map(() => 0);
  for (const { direction, square, parts } of bases) {
    const amount = -dot(first, direction) / square;
    parts.forEach((part, j) => (weights[j] += amount * part));
  }
  return [1 - weights.reduce((total, weight) => total + weight, 0), ...weights];
}
