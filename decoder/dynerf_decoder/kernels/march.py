"""Marches rays through the ``planes`` model: coarse densities, fine samples, accumulated features, colour.

Computes what ``render.reference.render_rays`` does without jitter and union. ``SLOTS`` rays are marched at a
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
    load_at,
    load_strided,
    logistic,
    minus,
    plus,
    plus_scaled,
    plus_times,
    quotient,
    scaled,
    splat,
    store,
    times,
    where_above,
    zeros,
)
from .look_up import locate, product_at
from .network import ROWS, hidden_block, output_block
from .occupancy import LANES, occupied
from .shade import DIRECTION_NUMBERS, encode_direction, shade

SLOTS = 8  # rays in progress; a multiple of ROWS
_EIGHT = (np.float32(0),) * LANES
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_WALL = np.float32(1e30)  # a length that is opaque at every density


@kernel
def ray_line(starts, ends, ray):
    """A ray's start in the cube and the step to its end."""
    i = 3 * ray
    x, y, z = item(starts, i), item(starts, i + 1), item(starts, i + 2)
    return x, y, z, item(ends, i) - x, item(ends, i + 1) - y, item(ends, i + 2) - z


@kernel
def look_up_features(stack, x, y, z, scratch):
    """Features of ``SLOTS`` points, given as lanes of coordinates: rows of all scales' channels."""
    planes, sizes, channels = stack.planes, stack.sizes, stack.channels
    for scale in range(len(sizes)):
        locate(_EIGHT, x, y, z, sizes[scale], scratch.texels, scratch.fractions)
        for row in range(SLOTS):
            found = product_at(
                channels, planes[scale], sizes[scale], scratch.texels, scratch.fractions, row, SLOTS
            )
            store(scratch.features, (row * len(sizes) + scale) * len(channels), found)


@kernel
def decode_rows(stack, scratch):
    """Raw outputs, (row, output), of ``SLOTS`` rows of features."""
    features, hidden, outputs = scratch.features, scratch.hidden, len(stack.outputs)
    count, width = len(stack.sizes) * len(stack.channels), len(stack.bias)
    for row in range(0, SLOTS, ROWS):
        hidden_block(features, row * count, count, stack.weights, stack.bias, hidden, row * width, width)
        output_block(
            stack.outputs, hidden, row * width, width, stack.out_weights, stack.out_bias, scratch.raw,
            row * outputs,
        )  # fmt: skip


@kernel
def points(slots):
    """Cube coordinates of all slots' present samples, as lanes."""
    s, starts, directions = (
        load_at(zeros(_EIGHT), slots.middles, 0, slots.places, 0),
        slots.starts,
        slots.directions,
    )
    x = plus_times(load(s, starts, 0), s, load(s, directions, 0))
    y = plus_times(load(s, starts, SLOTS), s, load(s, directions, SLOTS))
    z = plus_times(load(s, starts, 2 * SLOTS), s, load(s, directions, 2 * SLOTS))
    return x, y, z


@kernel
def choose_intervals(grid, line, slots, slot):
    """List the intervals of a slot's ray that are not empty by the grid, and the last one in any case."""
    edges, middles, chosen, count = slots.edges, slots.middles, slots.chosen, slots.intervals
    first = slot * len(edges) // SLOTS
    for at in range(first, first + count, LANES):
        sums = plus(load(zeros(_EIGHT), edges, at), load(zeros(_EIGHT), edges, at + 1))
        store(middles, at, scaled(sums, _HALF))
    found = occupied(grid, line, middles, first, count, slots.cells, chosen, first)
    if found == 0 or chosen[first + found - 1] < count - 1:
        chosen[first + found] = count - 1
        found += 1
    slots.ends[slot] = found
    go_to(slots, slot, 0)


@kernel
def go_to(slots, slot, step):
    """Let a slot's present sample be number ``step`` of its chosen ones; the last one ends at a wall."""
    first, last = slot * len(slots.edges) // SLOTS, slots.ends[slot] - 1
    step = min(step, last)
    slots.steps[slot] = step
    slots.places[slot] = first + item(slots.chosen, first + step)
    slots.walls[slot] = _WALL if step == last else np.float32(0)


@kernel
def start_ray(coarse, outputs, rays, settings, grids, scratch, slots, slot, ray, out, medians):
    """Put the next ray that hits, from ``ray`` on, into a slot and return the number after it.

    Rays that miss are black. When none is left, the slot gets ray -1.
    """
    hit, edges = rays.hit, slots.edges
    while ray < len(hit) and not hit[ray]:
        out[3 * ray] = out[3 * ray + 1] = out[3 * ray + 2] = medians[ray] = 0
        ray += 1
    if ray == len(hit):
        slots.rays[slot] = -1
        return ray
    line, bins = ray_line(rays.starts, rays.ends, ray), scratch.samples
    x, y, z, dx, dy, dz = line
    length = np.sqrt(dx * dx + dy * dy + dz * dz)
    histogram(coarse, scratch, bins, line, length / np.float32(bins), grids.coarse, settings.bounds)
    draw_edges(scratch.shares, bins, scratch.targets, edges, slot * len(edges) // SLOTS)
    choose_intervals(grids.fine, line, slots, slot)
    slots.rays[slot], slots.transmittance[slot], slots.medians[slot] = ray, _ONE, 0
    slots.lengths[slot] = length
    slots.starts[slot], slots.starts[SLOTS + slot], slots.starts[2 * SLOTS + slot] = x, y, z
    slots.directions[slot], slots.directions[SLOTS + slot], slots.directions[2 * SLOTS + slot] = dx, dy, dz
    store(slots.totals, slot * len(outputs), zeros(outputs))
    return ray + 1


@kernel
def add_samples(outputs, raw, slots, bounds):
    """Accumulate the slots' present samples, ``raw``, and go on to the next ones."""
    n, totals = len(outputs), slots.totals
    exponents = plus(load_strided(zeros(_EIGHT), raw, n), splat(zeros(_EIGHT), bounds.bias))
    near = load_at(zeros(_EIGHT), slots.edges, 0, slots.places, 0)
    width = minus(load_at(zeros(_EIGHT), slots.edges, 1, slots.places, 0), near)
    lengths = plus_times(load(near, slots.walls, 0), width, load(near, slots.lengths, 0))
    depths = times(exponential(clamped(exponents, bounds.least, bounds.most)), lengths)
    before = load(near, slots.transmittance, 0)
    after = times(before, exponential(scaled(depths, -_ONE)))
    weights, half = minus(before, after), splat(near, _HALF)
    median = plus_times(near, quotient(minus(before, half), weights), width)
    old = load(near, slots.medians, 0)
    store(slots.medians, 0, where_above(half, after, where_above(half, before, old, median), old))
    store(slots.transmittance, 0, after)
    store(slots.weights, 0, weights)
    for slot in range(SLOTS):
        features = logistic(load(zeros(outputs), raw, slot * n))
        total = plus_scaled(load(zeros(outputs), totals, slot * n), features, item(slots.weights, slot))
        store(totals, slot * n, total)
        go_to(slots, slot, slots.steps[slot] + 1)


@kernel
def opaque_slots(slots, min_transmittance):
    """List the slots whose rays end, in ``slots.done``, and return how many."""
    found = 0
    for slot in range(SLOTS):
        slots.done[found] = slot
        found += (slots.transmittance[slot] <= min_transmittance) & (slots.rays[slot] >= 0)
    return found


@kernel
def finish_ray(outputs, view, features, scratch, rays, slots, slot, out, medians):
    """Write the colour of a slot's ray: accumulated features, scaled to weights that sum to one, shaded."""
    totals, transmittance, ray, inputs = slots.totals, slots.transmittance, slots.rays[slot], scratch.inputs
    total = load(zeros(outputs), totals, slot * len(outputs))
    store(totals, slot * len(outputs), scaled(total, _ONE / (_ONE - transmittance[slot])))
    for index in range(features):
        inputs[index] = totals[slot * len(outputs) + 1 + index]
    encode_direction(rays.directions, ray, inputs, features)
    shade(view, inputs, features + DIRECTION_NUMBERS, scratch.hidden, out, 3 * ray)
    medians[ray] = slots.medians[slot]


@kernel
def march(
    coarse, fine, view, features, grids, rays, settings, coarse_scratch, fine_scratch, view_scratch, slots,
    out, medians,
):  # fmt: skip
    """Colours of rays, (ray, 3), and the positions (0 to 1) at which half of their light is absorbed.

    Rays that miss get zeros. ``features`` is the number of outputs after the density.
    """
    raw, outputs = fine_scratch.raw, fine.outputs
    next_ray, active, ended = 0, 0, SLOTS
    for slot in range(SLOTS):
        slots.rays[slot], slots.done[slot] = -1, slot
    while ended > 0 or active > 0:
        for index in range(ended):
            slot = slots.done[index]
            if slots.rays[slot] >= 0:
                finish_ray(outputs, view, features, view_scratch, rays, slots, slot, out, medians)
                active -= 1
            next_ray = start_ray(
                coarse, outputs, rays, settings, grids, coarse_scratch, slots, slot, next_ray, out, medians
            )
            active += slots.rays[slot] >= 0
        x, y, z = points(slots)
        look_up_features(fine, x, y, z, fine_scratch)
        decode_rows(fine, fine_scratch)
        add_samples(outputs, raw, slots, settings.bounds)
        ended = opaque_slots(slots, settings.min_transmittance)
