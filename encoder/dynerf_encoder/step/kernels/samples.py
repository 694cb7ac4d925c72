"""What a block of samples finds in the planes, and what their gradients ask of each plane.

A field is a ``records.Field``. What a sample finds in each plane is kept in ``found``, (row, scale, plane,
channel): the gradient of one factor of a product is the product of the others.
"""

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import load, store, times, zeros
from dynerf_decoder.backends.cpu.kernels.look_up import interpolate, plane_corners

PLANES = 3


@kernel
def look(field, rays, ray, positions, at, count, found, features, row):
    """Features of ``count`` samples of one ray, into rows from ``row`` on."""
    planes, origins, sizes, like = field.planes, field.origins, field.sizes, field.like
    starts, steps = rays.starts, rays.steps
    x, y, z = starts[3 * ray], starts[3 * ray + 1], starts[3 * ray + 2]
    dx, dy, dz = steps[3 * ray], steps[3 * ray + 1], steps[3 * ray + 2]
    channels = len(like)
    for index in range(count):
        s = positions[at + index]
        u, v, w = x + s * dx, y + s * dy, z + s * dz
        for scale in range(len(sizes)):
            xy, xz, yz = plane_corners(u, v, w, origins[scale], sizes[scale], channels)
            a, b = interpolate(like, planes, xy), interpolate(like, planes, xz)
            c = interpolate(like, planes, yz)
            to = ((row + index) * len(sizes) + scale) * PLANES * channels
            store(found, to, a)
            store(found, to + channels, b)
            store(found, to + 2 * channels, c)
            store(features, (row + index) * field.network.stride + scale * channels, times(times(a, b), c))


@kernel
def ask(field, found, gradients, rows, changes, samples, at):
    """What ``rows`` samples, number ``at`` and following of the frame's, ask of the planes.

    Written to ``changes``, (scale, plane, sample, channel), where there are ``samples`` of the frame.
    """
    sizes, like, stride = field.sizes, field.like, field.network.stride
    channels = len(like)
    for row in range(rows):
        for scale in range(len(sizes)):
            start = (row * len(sizes) + scale) * PLANES * channels
            a, b = load(zeros(like), found, start), load(zeros(like), found, start + channels)
            c = load(zeros(like), found, start + 2 * channels)
            given = load(zeros(like), gradients, row * stride + scale * channels)
            to, ab = (scale * PLANES * samples + at + row) * channels, times(given, a)
            store(changes, to, times(times(given, b), c))
            store(changes, to + samples * channels, times(ab, c))
            store(changes, to + 2 * samples * channels, times(ab, b))
