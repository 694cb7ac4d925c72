/**
 * How far a place is outside the convex hull of some points, as `decoder/dynerf_decoder/cameras/viewing_volume.py` computes it:
 * Wolfe's method for the point of least norm in a polytope (Mathematical Programming 11, 1976). The hull may be flat, a
 * line or a point.
 */
import { add, dot, length, scale, subtract } from "./vector.js";

const TIGHT = 1e-12; // of the squared extent: what counts as touching
const MOST_EXCHANGES = 1000; // a few suffice in three dimensions; a hostile hull must not keep a page busy
const FLAT = 1e-12; // of the largest square: what counts as no direction of its own

/** The distance of a position from the hull of corners, 0 inside but for rounding; without corners it is 0. */
export function distanceToHull(corners, position) {
  if (!corners.length) return 0;
  const points = corners.map((corner) => subtract(corner, position));
  const squares = points.map((point) => dot(point, point));
  const limit = TIGHT * Math.max(...squares);
  let active = [squares.indexOf(Math.min(...squares))];
  let weights = [1];
  for (let exchange = 0; exchange < MOST_EXCHANGES; exchange += 1) {
    const nearest = combined(points, active, weights);
    const along = points.map((point) => dot(point, nearest));
    const candidate = along.indexOf(Math.min(...along));
    if (active.includes(candidate) || dot(nearest, nearest) - along[candidate] <= limit) break;
    [active, weights] = between(points, [...active, candidate], [...weights, 0]);
  }
  return length(combined(points, active, weights));
}

const combined = (points, active, weights) =>
  active.reduce((sum, corner, i) => add(sum, scale(points[corner], weights[i])), [0, 0, 0]);

/** Drop corners until the point of least norm of the others' affine hull lies between them. */
function between(points, active, weights) {
  for (;;) {
    const wanted = affineWeights(active.map((corner) => points[corner]));
    if (wanted.every((weight) => weight > 0)) return [active, wanted];
    const shares = wanted.map((weight, i) => (weight <= 0 ? weights[i] / (weights[i] - weight || 1) : Infinity));
    const share = Math.min(...shares);
    const moved = weights.map((weight, i) => weight + share * (wanted[i] - weight));
    const leaving = moved.map((weight, i) => (wanted[i] <= 0 ? weight : Infinity));
    const first = leaving.indexOf(Math.min(...leaving)); // at least one goes, whatever rounding says
    const kept = moved.map((weight, i) => i !== first && (wanted[i] > 0 || weight > 1e-12));
    active = active.filter((_, i) => kept[i]);
    const rest = moved.filter((_, i) => kept[i]);
    const sum = rest.reduce((total, weight) => total + weight, 0);
    weights = rest.map((weight) => weight / sum);
  }
}

/** Weights of sum one, of any sign, that make the combination of least norm. */
function affineWeights([first, ...others]) {
  // Orthogonal directions from the first point to the others (Gram-Schmidt), and the first point's share of each.
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
    if (square > FLAT * largest) bases.push({ direction, square, parts });
  }
  const weights = others.map(() => 0);
  for (const { direction, square, parts } of bases) {
    const amount = -dot(first, direction) / square;
    parts.forEach((part, j) => (weights[j] += amount * part));
  }
  return [1 - weights.reduce((total, weight) => total + weight, 0), ...weights];
}
