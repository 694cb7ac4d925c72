"""Clips rays to the cube one by one, in float64: ``Space.clip_plain`` without its passes over memory."""

import numpy as np

from .compiling import kernel

_ONE = np.float64(1)


@kernel
def row(matrix, index, x, y, z):
    """One row of a flat 4x4 matrix times a direction."""
    return matrix[4 * index] * x + matrix[4 * index + 1] * y + matrix[4 * index + 2] * z


@kernel
def within(value):
    """Clamped to -1 to 1."""
    return max(min(value, _ONE), -_ONE)


@kernel
def interval(inside, change, enters, leaves):
    """Clip an interval along the ray by one face; (inf, -inf) for a parallel ray outside it."""
    if change > 0:
        return max(enters, -inside / change), leaves
    if change < 0:
        return enters, min(leaves, -inside / change)
    if inside < 0:
        return np.inf, -np.inf
    return enters, leaves


@kernel
def clip(
    matrix, near, miss, origins, directions, starts, ends, hit, distances_in, distances_out, w_in, w_out
):
    """Fill in the rays' intervals; those that miss get zeros (w: ones).

    Arrays are flat, (ray, axis); a single origin is that of all rays. Directions may be float32.
    """
    apart = 3 if len(origins) > 3 else 0
    for ray in range(len(hit)):
        x, y, z = origins[apart * ray], origins[apart * ray + 1], origins[apart * ray + 2]
        dx, dy, dz = (
            np.float64(directions[3 * ray]), np.float64(directions[3 * ray + 1]),
            np.float64(directions[3 * ray + 2]),
        )  # fmt: skip
        w, dw = row(matrix, 3, x, y, z) + matrix[15], row(matrix, 3, dx, dy, dz)
        enters, leaves = near, np.inf
        for axis in range(3):
            at, step = row(matrix, axis, x, y, z) + matrix[4 * axis + 3], row(matrix, axis, dx, dy, dz)
            enters, leaves = interval(w - at, dw - step, enters, leaves)
            enters, leaves = interval(w + at, dw + step, enters, leaves)
        hit[ray] = leaves - enters > miss and leaves < np.inf
        if not hit[ray]:
            enters = leaves = 0.0
        distances_in[ray], distances_out[ray] = enters, leaves
        w_in[ray], w_out[ray] = _ONE, _ONE
        if hit[ray]:
            w_in[ray], w_out[ray] = w + enters * dw, w + leaves * dw
        for axis in range(3):
            at, step = row(matrix, axis, x, y, z) + matrix[4 * axis + 3], row(matrix, axis, dx, dy, dz)
            starts[3 * ray + axis] = within((at + enters * step) / (w + enters * dw)) if hit[ray] else 0.0
            ends[3 * ray + axis] = within((at + leaves * step) / (w + leaves * dw)) if hit[ray] else 0.0
