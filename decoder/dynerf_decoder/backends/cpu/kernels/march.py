"""Marches rays through the ``planes`` model: coarse densities, fine samples, accumulated features, colour.

Computes what ``render.reference.render_rays`` does without jitter and union. ``ROWS`` rays are marched at a
time, each at its own next fine sample. A ray ends at transmittance ``min_transmittance``, where what is
behind it is invisible; the next ray then takes its slot, so that no decoded sample is wasted.

Arguments are the tuples of ``records``. The coarse stack has one output, the density. The fine stack's first
output is the density, the others are features.
"""

import numpy as np

from .compiling import kernel
from .histogram import draw_edges, histogram
from .lanes import (
    clamped,
    exponential,
    item,
    load,
    logistic,
    pack,
    plus,
    plus_scaled,
    scaled,
    splat,
    store,
    unpack,
    zeros,
)
from .look_up import product
from .network import ROWS, hidden_block, output_block
from .occupancy import is_empty
from .shade import DIRECTION_NUMBERS, encode_direction, shade

_FOUR = (np.float32(0),) * ROWS
_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)


@kernel
def ray_line(starts, steps, ray):
    """A ray's start in the cube and the step to its end."""
    i = 3 * ray
    return starts[i], starts[i + 1], starts[i + 2], steps[i], steps[i + 1], steps[i + 2]


@kernel
def midpoint(edges, at):
    """The middle of the interval that begins with edge number ``at``."""
    return (edges[at] + edges[at + 1]) * _HALF


@kernel
def look_up_features(stack, features, row, line, s):
    """Write the features at position ``s`` of a line to row ``row``."""
    planes, sizes, channels = stack.planes, stack.sizes, stack.channels
    x, y, z, dx, dy, dz = line
    for scale in range(len(sizes)):
        found = product(channels, planes[scale], 0, sizes[scale], x + s * dx, y + s * dy, z + s * dz)
        store(features, (row * len(sizes) + scale) * len(channels), found)


@kernel
def decode_rows(stack, scratch):
    """Raw outputs, (row, output), of ``ROWS`` rows of features."""
    count, width = len(stack.sizes) * len(stack.channels), len(stack.bias)
    hidden_block(scratch.features, 0, count, stack.weights, stack.bias, scratch.hidden, 0, width)
    output_block(
        stack.outputs, scratch.hidden, 0, width, stack.out_weights, stack.out_bias, scratch.raw, 0
    )  # fmt: skip


@kernel
def interval_transmittances(raw, stride, lengths, bounds):
    """Transmittances of ``ROWS`` intervals from their raw densities and lengths."""
    densities = pack((item(raw, 0), item(raw, stride), item(raw, 2 * stride), item(raw, 3 * stride)))
    exponents = plus(densities, splat(zeros(_FOUR), bounds.bias))
    a, b, c, d = unpack(exponential(clamped(exponents, bounds.least, bounds.most)))
    depths = (
        -a * item(lengths, 0), -b * item(lengths, 1), -c * item(lengths, 2), -d * item(lengths, 3),
    )  # fmt: skip
    return unpack(exponential(pack(depths)))


@kernel
def next_interval(grid, line, edges, first, at, count):
    """The first interval from ``at`` on that is not empty by the grid; the last one is never skipped."""
    while at < count - 1 and is_empty(grid, line, midpoint(edges, first + at)):
        at += 1
    return at


@kernel
def start_ray(coarse, outputs, rays, settings, grids, scratch, slots, slot, ray, out, medians):
    """Put the next ray that hits, from ``ray`` on, into a slot and return the number after it.

    Rays that miss are black. When none is left, the slot gets ray -1.
    """
    lengths = rays.lengths
    count = len(slots.edges) // ROWS
    while ray < len(lengths) and not rays.hit[ray]:
        out[3 * ray] = out[3 * ray + 1] = out[3 * ray + 2] = medians[ray] = 0
        ray += 1
    if ray == len(lengths):
        slots.rays[slot] = -1
        return ray
    line, bins = ray_line(rays.starts, rays.steps, ray), len(scratch.positions)
    histogram(coarse, scratch, line, lengths[ray] / np.float32(bins), grids.coarse, settings.bounds)
    draw_edges(scratch.shares, bins, slots.edges, slot * count, count)
    slots.intervals[slot] = next_interval(grids.fine, line, slots.edges, slot * count, 0, count - 1)
    slots.rays[slot], slots.transmittance[slot], medians[ray] = ray, _ONE, 0
    store(slots.totals, slot * len(outputs), zeros(outputs))
    return ray + 1


@kernel
def add_sample(outputs, raw, slots, slot, interval_transmittance, medians):
    """Accumulate a slot's sample, given the transmittance of its interval."""
    edges, totals, transmittance, intervals = slots.edges, slots.totals, slots.transmittance, slots.intervals
    count = len(edges) // ROWS
    first = slot * count + intervals[slot]
    before = transmittance[slot]
    # The last interval is opaque.
    after = before * interval_transmittance if intervals[slot] < count - 2 else _ZERO
    if before >= _HALF and after < _HALF:
        fraction = (before - _HALF) / (before - after)
        medians[slots.rays[slot]] = edges[first] + fraction * (edges[first + 1] - edges[first])
    features = logistic(load(zeros(outputs), raw, slot * len(outputs)))
    at = slot * len(outputs)
    store(totals, at, plus_scaled(load(zeros(outputs), totals, at), features, before - after))
    transmittance[slot] = after


@kernel
def finish_ray(outputs, view, features, scratch, rays, slots, slot, out):
    """Colour of a slot's ray: the accumulated features, scaled to weights that sum to one, shaded."""
    totals, transmittance, ray, inputs = slots.totals, slots.transmittance, slots.rays[slot], scratch.inputs
    total = load(zeros(outputs), totals, slot * len(outputs))
    store(totals, slot * len(outputs), scaled(total, _ONE / (_ONE - transmittance[slot])))
    for index in range(features):
        inputs[index] = totals[slot * len(outputs) + 1 + index]
    encode_direction(rays.directions, ray, inputs, features)
    shade(view, inputs, features + DIRECTION_NUMBERS, scratch.hidden, out, 3 * ray)


@kernel
def march(
    coarse, fine, view, features, grids, rays, settings, coarse_scratch, fine_scratch, view_scratch, slots,
    out, medians,
):  # fmt: skip
    """Colours of rays, (ray, 3), and the positions (0 to 1) at which half of their light is absorbed.

    Rays that miss get zeros. ``features`` is the number of outputs after the density.
    """
    starts, steps, lengths = rays.starts, rays.steps, rays.lengths
    edges, transmittance, intervals, slot_rays = slots.edges, slots.transmittance, slots.intervals, slots.rays
    raw, interval_lengths = fine_scratch.raw, fine_scratch.lengths
    outputs, count = fine.outputs, len(slots.edges) // ROWS
    next_ray, active = 0, ROWS
    for slot in range(ROWS):
        next_ray = start_ray(
            coarse, outputs, rays, settings, grids, coarse_scratch, slots, slot, next_ray, out, medians
        )
    while active > 0:
        active = 0
        for slot in range(ROWS):
            ray = slot_rays[slot]
            if ray >= 0:
                at, line = slot * count + intervals[slot], ray_line(starts, steps, ray)
                interval_lengths[slot] = (edges[at + 1] - edges[at]) * lengths[ray]
                look_up_features(fine, fine_scratch.features, slot, line, midpoint(edges, at))
                active += 1
        decode_rows(fine, fine_scratch)
        through = interval_transmittances(raw, len(outputs), interval_lengths, settings.bounds)
        for slot in range(ROWS):
            ray = slot_rays[slot]
            if ray >= 0:
                add_sample(outputs, raw, slots, slot, through[slot], medians)
                if transmittance[slot] <= settings.min_transmittance or intervals[slot] >= count - 2:
                    finish_ray(outputs, view, features, view_scratch, rays, slots, slot, out)
                    next_ray = start_ray(
                        coarse, outputs, rays, settings, grids, coarse_scratch, slots, slot, next_ray, out,
                        medians,
                    )  # fmt: skip
                else:
                    line = ray_line(starts, steps, ray)
                    intervals[slot] = next_interval(
                        grids.fine, line, edges, slot * count, intervals[slot] + 1, count - 1
                    )
