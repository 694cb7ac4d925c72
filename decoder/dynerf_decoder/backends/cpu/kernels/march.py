"""Whole rays of the ``planes`` model: coarse densities, fine samples, features summed, colour.

The same as ``renderer.render_rays`` without jitter or union. ``ROWS`` rays are followed at once, each as far
as its own next fine sample: a ray ends where nothing behind it can be seen, at transmittance ``opaque``, and
the next one takes its place, so that every decoded sample counts.

Arguments are what ``records`` calls so. The coarse stack has one output, the density's; it is the first of
the fine stack's, and the others are features.
"""

import numpy as np

from .compiling import kernel
from .histogram import draw_edges, histogram
from .lanes import (
    exponential,
    item,
    joined,
    limited,
    load,
    logistic,
    plus,
    plus_scaled,
    same,
    scaled,
    separate,
    store,
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
def line_of(starts, steps, ray):
    """A ray's start in the cube and the step to its end."""
    i = 3 * ray
    return starts[i], starts[i + 1], starts[i + 2], steps[i], steps[i + 1], steps[i + 2]


@kernel
def middle_of(edges, at):
    """The middle of the interval that begins with edge number ``at``."""
    return (edges[at] + edges[at + 1]) * _HALF


@kernel
def look(stack, features, row, line, s):
    """Features at position ``s`` of a line, into row ``row``."""
    planes, sizes, like = stack.planes, stack.sizes, stack.like
    x, y, z, dx, dy, dz = line
    for scale in range(len(sizes)):
        found = product(like, planes[scale], 0, sizes[scale], x + s * dx, y + s * dy, z + s * dz)
        store(features, (row * len(sizes) + scale) * len(like), found)


@kernel
def ask(stack, room):
    """Raw outputs, (row, output), of ``ROWS`` rows of features."""
    count, width = len(stack.sizes) * len(stack.like), len(stack.bias)
    hidden_block(room.features, 0, count, stack.weights, stack.bias, room.hidden, 0, width)
    output_block(stack.outputs, room.hidden, 0, width, stack.out_weights, stack.out_bias, room.raw, 0)


@kernel
def shares_let_through(raw, stride, lengths, bounds):
    """What each of ``ROWS`` intervals lets through, given raw densities and lengths."""
    found = joined((item(raw, 0), item(raw, stride), item(raw, 2 * stride), item(raw, 3 * stride)))
    exponents = plus(found, same(zeros(_FOUR), bounds.bias))
    a, b, c, d = separate(exponential(limited(exponents, bounds.least, bounds.most)))
    depths = (
        -a * item(lengths, 0), -b * item(lengths, 1), -c * item(lengths, 2), -d * item(lengths, 3),
    )  # fmt: skip
    return separate(exponential(joined(depths)))


@kernel
def next_sample(grid, line, edges, first, at, count):
    """The first interval from ``at`` on in which there may be something; the last one counts always."""
    while at < count - 1 and is_empty(grid, line, middle_of(edges, first + at)):
        at += 1
    return at


@kernel
def begin(coarse, outputs, rays, rule, grids, coarse_room, slots, slot, ray, out, middles):
    """Give a slot the next ray from number ``ray`` on that hits; the number after it is returned.

    Rays that miss are black. A slot for which there is none gets ray -1.
    """
    lengths, numbers = rays.lengths, slots.numbers
    count = len(slots.edges) // ROWS
    while ray < len(lengths) and not rays.hit[ray]:
        out[3 * ray] = out[3 * ray + 1] = out[3 * ray + 2] = middles[ray] = 0
        ray += 1
    if ray == len(lengths):
        numbers[slot] = -1
        return ray
    line, weights = line_of(rays.starts, rays.steps, ray), coarse_room.weights
    histogram(coarse, coarse_room, line, lengths[ray] / np.float32(len(weights)), grids.coarse, rule.bounds)
    draw_edges(weights, rule.padding, slots.edges, slot * count, count)
    slots.places[slot] = next_sample(grids.fine, line, slots.edges, slot * count, 0, count - 1)
    numbers[slot], slots.left[slot], middles[ray] = ray, _ONE, 0
    store(slots.totals, slot * len(outputs), zeros(outputs))
    return ray + 1


@kernel
def add(outputs, raw, slots, slot, share, middles):
    """Add a slot's sample, whose interval lets a share of the light through."""
    edges, totals, left, places, numbers = slots.edges, slots.totals, slots.left, slots.places, slots.numbers
    count = len(edges) // ROWS
    first = slot * count + places[slot]
    before = left[slot]
    after = before * share if places[slot] < count - 2 else _ZERO  # the last interval is opaque
    if before >= _HALF and after < _HALF:
        part = (before - _HALF) / (before - after)
        middles[numbers[slot]] = edges[first] + part * (edges[first + 1] - edges[first])
    seen = logistic(load(zeros(outputs), raw, slot * len(outputs)))
    at = slot * len(outputs)
    store(totals, at, plus_scaled(load(zeros(outputs), totals, at), seen, before - after))
    left[slot] = after


@kernel
def finish(outputs, view, features, room, rays, slots, slot, out):
    """Colour of the ray in a slot: what was summed, scaled to weights that sum to one, shaded."""
    totals, left, number, seen = slots.totals, slots.left, slots.numbers[slot], room.seen
    whole = load(zeros(outputs), totals, slot * len(outputs))
    store(totals, slot * len(outputs), scaled(whole, _ONE / (_ONE - left[slot])))
    for index in range(features):
        seen[index] = totals[slot * len(outputs) + 1 + index]
    encode_direction(rays.directions, number, seen, features)
    shade(view, seen, features + DIRECTION_NUMBERS, room.hidden, out, 3 * number)


@kernel
def march(
    coarse, fine, view, features, grids, rays, rule, coarse_room, fine_room, view_room, slots, out, middles
):
    """Colours of rays, (ray, 3), and where half of their light is behind, positions 0 to 1.

    Rays that miss get zeros. ``features`` is the number of outputs after the density.
    """
    starts, steps, lengths = rays.starts, rays.steps, rays.lengths
    edges, left, places, numbers = slots.edges, slots.left, slots.places, slots.numbers
    raw, parts = fine_room.raw, fine_room.lengths
    outputs, count = fine.outputs, len(slots.edges) // ROWS
    ray, live = 0, ROWS
    for slot in range(ROWS):
        ray = begin(coarse, outputs, rays, rule, grids, coarse_room, slots, slot, ray, out, middles)
    while live > 0:
        live = 0
        for slot in range(ROWS):
            number = numbers[slot]
            if number >= 0:
                at = slot * count + places[slot]
                parts[slot] = (edges[at + 1] - edges[at]) * lengths[number]
                look(fine, fine_room.features, slot, line_of(starts, steps, number), middle_of(edges, at))
                live += 1
        ask(fine, fine_room)
        shares = shares_let_through(raw, len(outputs), parts, rule.bounds)
        for slot in range(ROWS):
            number = numbers[slot]
            if number >= 0:
                add(outputs, raw, slots, slot, shares[slot], middles)
                if left[slot] <= rule.opaque or places[slot] >= count - 2:
                    finish(outputs, view, features, view_room, rays, slots, slot, out)
                    ray = begin(
                        coarse, outputs, rays, rule, grids, coarse_room, slots, slot, ray, out, middles
                    )
                else:
                    line = line_of(starts, steps, number)
                    places[slot] = next_sample(
                        grids.fine, line, edges, slot * count, places[slot] + 1, count - 1
                    )
