"""Whole rays of the ``planes`` model: coarse densities, fine samples, features summed, colour.

The same as ``renderer.render_rays`` without jitter or union. ``ROWS`` rays are followed at once, each as far
as its own next fine sample: a ray ends where nothing behind it can be seen, at transmittance ``opaque``, and
the next one takes its place, so that every decoded sample counts.

A stack is (planes, sizes, like, W, b, outputs, V, c): planes and size of each scale and what ``network``
takes; ``like`` has as many items as there are channels, ``outputs`` as there are outputs. The coarse
stack has one output, the density's; it is the first of the fine stack's, and the others are features.
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
    planes, sizes, like = stack[:3]
    x, y, z, dx, dy, dz = line
    for scale in range(len(sizes)):
        found = product(like, planes[scale], 0, sizes[scale], x + s * dx, y + s * dy, z + s * dz)
        store(features, (row * len(sizes) + scale) * len(like), found)


@kernel
def ask(stack, features, hidden, raw):
    """Raw outputs, (row, output), of ``ROWS`` rows of features."""
    _, sizes, like, first, bias, outputs, second, offsets = stack
    hidden_block(features, 0, len(sizes) * len(like), first, bias, hidden, 0, len(bias))
    output_block(outputs, hidden, 0, len(bias), second, offsets, raw, 0)


@kernel
def shares_let_through(raw, stride, lengths, bounds):
    """What each of ``ROWS`` intervals lets through, given raw densities and lengths."""
    found = joined((item(raw, 0), item(raw, stride), item(raw, 2 * stride), item(raw, 3 * stride)))
    exponents = plus(found, same(zeros(_FOUR), bounds[0]))
    a, b, c, d = separate(exponential(limited(exponents, bounds[1], bounds[2])))
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
    starts, steps, lengths, hit, _ = rays
    bounds, padding, _ = rule
    edges, totals, left, places, numbers = slots
    count = len(edges) // ROWS
    while ray < len(lengths) and not hit[ray]:
        out[3 * ray] = out[3 * ray + 1] = out[3 * ray + 2] = middles[ray] = 0
        ray += 1
    if ray == len(lengths):
        numbers[slot] = -1
        return ray
    room, weights = coarse_room
    line = line_of(starts, steps, ray)
    histogram(coarse, room, line, lengths[ray] / np.float32(len(weights)), grids[0], bounds, weights)
    draw_edges(weights, padding, edges, slot * count, count)
    places[slot] = next_sample(grids[1], line, edges, slot * count, 0, count - 1)
    numbers[slot], left[slot], middles[ray] = ray, _ONE, 0
    store(totals, slot * len(outputs), zeros(outputs))
    return ray + 1


@kernel
def add(outputs, raw, slots, slot, share, middles):
    """Add a slot's sample, whose interval lets a share of the light through."""
    edges, totals, left, places, numbers = slots
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
    _, totals, left, _, numbers = slots
    seen, hidden = room
    whole = load(zeros(outputs), totals, slot * len(outputs))
    store(totals, slot * len(outputs), scaled(whole, _ONE / (_ONE - left[slot])))
    for index in range(features):
        seen[index] = totals[slot * len(outputs) + 1 + index]
    encode_direction(rays[4], numbers[slot], seen, features)
    shade(view, seen, features + DIRECTION_NUMBERS, hidden, out, 3 * numbers[slot])


@kernel
def march(coarse, fine, view, features, grids, rays, rule, rooms, slots, out, middles):
    """Colours of rays, (ray, 3), and where half of their light is behind, positions 0 to 1.

    ``rays`` are (starts, steps to the ends, lengths, which hit, directions); those that miss get zeros.
    ``features`` is the number of outputs after the density, ``grids`` say where the coarse and the fine field
    are empty. ``rule`` is (what is added to a raw density and
    the least and the most of its exponent, the share of the histogram that is spread evenly, the
    transmittance at which a ray ends). ``rooms`` are ((``histogram``'s, coarse weights), (features, hidden
    units, raw outputs and lengths of ``ROWS`` samples), (inputs and hidden units of ``shade``)); ``slots``
    (edges, outputs summed, transmittance, next interval and ray of each of ``ROWS``).
    """
    starts, steps, lengths = rays[:3]
    bounds, _, opaque = rule
    coarse_room, (looked, hidden, raw, parts), view_room = rooms
    edges, _, left, places, numbers = slots
    outputs, count = fine[5], len(slots[0]) // ROWS
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
                look(fine, looked, slot, line_of(starts, steps, number), middle_of(edges, at))
                live += 1
        ask(fine, looked, hidden, raw)
        shares = shares_let_through(raw, len(outputs), parts, bounds)
        for slot in range(ROWS):
            number = numbers[slot]
            if number >= 0:
                add(outputs, raw, slots, slot, shares[slot], middles)
                if left[slot] <= opaque or places[slot] >= count - 2:
                    finish(outputs, view, features, view_room, rays, slots, slot, out)
                    ray = begin(
                        coarse, outputs, rays, rule, grids, coarse_room, slots, slot, ray, out, middles
                    )
                else:
                    line = line_of(starts, steps, number)
                    places[slot] = next_sample(
                        grids[1], line, edges, slot * count, places[slot] + 1, count - 1
                    )
