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
from .look_up import locate, product_at
from .network import ROWS, hidden_block, output_block
from .occupancy import LANES, occupied
from .shade import DIRECTION_NUMBERS, encode_direction, shade

_FOUR = (np.float32(0),) * ROWS
_EIGHT = (np.float32(0),) * LANES
_ONE = np.float32(1)
_ZERO = np.float32(0)
_HALF = np.float32(0.5)


@kernel
def ray_line(starts, steps, ray):
    """A ray's start in the cube and the step to its end."""
    i = 3 * ray
    return starts[i], starts[i + 1], starts[i + 2], steps[i], steps[i + 1], steps[i + 2]


@kernel
def look_up_features(stack, scratch):
    """Features of the ``ROWS`` points in ``scratch.points``: rows of all scales' channels."""
    planes, sizes, channels, points = stack.planes, stack.sizes, stack.channels, scratch.points
    x, y, z = load(zeros(_FOUR), points, 0), load(zeros(_FOUR), points, ROWS), load(zeros(_FOUR), points, 2 * ROWS)
    for scale in range(len(sizes)):
        locate(_FOUR, x, y, z, sizes[scale], scratch.texels, scratch.fractions, 0)
        for row in range(ROWS):
            found = product_at(
                channels, planes[scale], sizes[scale], scratch.texels, scratch.fractions, row, ROWS
            )
            store(scratch.features, (row * len(sizes) + scale) * len(channels), found)


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
def interval_of(slots, slot):
    """The number of a slot's present interval."""
    return slots.chosen[slot * len(slots.chosen) // ROWS + slots.steps[slot]]


@kernel
def place_sample(rays, slots, slot, scratch):
    """Write a slot's point, and the length of its interval, for ``look_up_features`` and ``decode_rows``."""
    edges, middles, points = slots.edges, slots.middles, scratch.points
    ray, interval = slots.rays[slot], interval_of(slots, slot)
    first = slot * len(edges) // ROWS + interval
    x, y, z, dx, dy, dz = ray_line(rays.starts, rays.steps, ray)
    s = middles[slot * len(middles) // ROWS + interval]
    points[slot], points[ROWS + slot], points[2 * ROWS + slot] = x + s * dx, y + s * dy, z + s * dz
    scratch.lengths[slot] = (edges[first + 1] - edges[first]) * rays.lengths[ray]


@kernel
def choose_intervals(grid, line, slots, slot):
    """List the intervals of a slot's ray that are not empty by the grid, and the last one in any case."""
    edges, middles, chosen = slots.edges, slots.middles, slots.chosen
    count, block = slots.count, len(middles) // ROWS
    first, to = slot * len(edges) // ROWS, slot * len(chosen) // ROWS
    for at in range(0, block, LANES):
        sums = plus(load(zeros(_EIGHT), edges, first + at), load(zeros(_EIGHT), edges, first + at + 1))
        store(middles, slot * block + at, scaled(sums, _HALF))
    found = occupied(grid, line, middles, slot * block, count, slots.cells, chosen, to)
    if found == 0 or chosen[to + found - 1] < count - 1:
        chosen[to + found] = count - 1
        found += 1
    slots.steps[slot], slots.ends[slot] = 0, found


@kernel
def start_ray(coarse, outputs, rays, settings, grids, scratch, slots, slot, ray, out, medians):
    """Put the next ray that hits, from ``ray`` on, into a slot and return the number after it.

    Rays that miss are black. When none is left, the slot gets ray -1.
    """
    lengths, edges = rays.lengths, slots.edges
    while ray < len(lengths) and not rays.hit[ray]:
        out[3 * ray] = out[3 * ray + 1] = out[3 * ray + 2] = medians[ray] = 0
        ray += 1
    if ray == len(lengths):
        slots.rays[slot] = -1
        return ray
    line, bins = ray_line(rays.starts, rays.steps, ray), scratch.count
    histogram(coarse, scratch, bins, line, lengths[ray] / np.float32(bins), grids.coarse, settings.bounds)
    draw_edges(scratch.shares, bins, edges, slot * len(edges) // ROWS, slots.count + 1)
    choose_intervals(grids.fine, line, slots, slot)
    slots.rays[slot], slots.transmittance[slot], medians[ray] = ray, _ONE, 0
    store(slots.totals, slot * len(outputs), zeros(outputs))
    return ray + 1


@kernel
def add_sample(outputs, values, slots, slot, interval_transmittance, medians):
    """Accumulate a slot's sample, given the transmittance of its interval."""
    edges, totals, transmittance = slots.edges, slots.totals, slots.transmittance
    interval, before, at = interval_of(slots, slot), transmittance[slot], slot * len(outputs)
    # The last interval is opaque.
    after = before * interval_transmittance if interval < slots.count - 1 else _ZERO
    if before >= _HALF and after < _HALF:
        first = slot * len(edges) // ROWS + interval
        fraction = (before - _HALF) / (before - after)
        medians[slots.rays[slot]] = edges[first] + fraction * (edges[first + 1] - edges[first])
    features = load(zeros(outputs), values, at)
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
    raw, outputs, every = fine_scratch.raw, fine.outputs, fine_scratch.every
    next_ray, active = 0, ROWS
    for slot in range(ROWS):
        next_ray = start_ray(
            coarse, outputs, rays, settings, grids, coarse_scratch, slots, slot, next_ray, out, medians
        )
    while active > 0:
        active = 0
        for slot in range(ROWS):
            if slots.rays[slot] >= 0:
                place_sample(rays, slots, slot, fine_scratch)
                active += 1
        look_up_features(fine, fine_scratch)
        decode_rows(fine, fine_scratch)
        through = interval_transmittances(raw, len(outputs), fine_scratch.lengths, settings.bounds)
        store(raw, 0, logistic(load(zeros(every), raw, 0)))
        for slot in range(ROWS):
            if slots.rays[slot] >= 0:
                add_sample(outputs, raw, slots, slot, through[slot], medians)
                slots.steps[slot] += 1
                if (
                    slots.transmittance[slot] <= settings.min_transmittance
                    or slots.steps[slot] == slots.ends[slot]
                ):
                    finish_ray(outputs, view, features, view_scratch, rays, slots, slot, out)
                    next_ray = start_ray(
                        coarse, outputs, rays, settings, grids, coarse_scratch, slots, slot, next_ray, out,
                        medians,
                    )  # fmt: skip
