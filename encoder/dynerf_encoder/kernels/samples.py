"""Values of the planes at a block of samples, and the gradients of these values.

A field is a ``records.Field``. The values of each plane are kept in ``plane_values``, (row, scale, plane,
channel): the gradient of one factor of a product is the product of the others.
"""

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.fold import PLANES
from dynerf_decoder.kernels.lanes import load, store, times, zeros
from dynerf_decoder.kernels.look_up import interpolate, plane_corners


@kernel
def sample_planes(field, rays, ray, positions, at, count, plane_values, features, row):
    """Features of ``count`` samples of one ray, written to rows from ``row`` on."""
    planes, origins, sizes, lane_type = field.planes, field.origins, field.sizes, field.lane_type
    starts, steps = rays.starts, rays.steps
    x, y, z = starts[3 * ray], starts[3 * ray + 1], starts[3 * ray + 2]
    dx, dy, dz = steps[3 * ray], steps[3 * ray + 1], steps[3 * ray + 2]
    channels = len(lane_type)
    for index in range(count):
        s = positions[at + index]
        u, v, w = x + s * dx, y + s * dy, z + s * dz
        for scale in range(len(sizes)):
            xy, xz, yz = plane_corners(u, v, w, origins[scale], sizes[scale], channels)
            a, b = interpolate(lane_type, planes, xy), interpolate(lane_type, planes, xz)
            c = interpolate(lane_type, planes, yz)
            to = ((row + index) * len(sizes) + scale) * PLANES * channels
            store(plane_values, to, a)
            store(plane_values, to + channels, b)
            store(plane_values, to + 2 * channels, c)
            store(features, (row + index) * field.network.stride + scale * channels, times(times(a, b), c))


@kernel
def plane_gradients(field, plane_values, feature_gradients, rows, gradients, samples, at):
    """Gradients of the planes' values at ``rows`` samples, number ``at`` of the frame's and following.

    Written to ``gradients``, (scale, plane, sample, channel), for a frame of ``samples`` samples.
    """
    sizes, lane_type, stride = field.sizes, field.lane_type, field.network.stride
    channels = len(lane_type)
    for row in range(rows):
        for scale in range(len(sizes)):
            start = (row * len(sizes) + scale) * PLANES * channels
            a = load(zeros(lane_type), plane_values, start)
            b = load(zeros(lane_type), plane_values, start + channels)
            c = load(zeros(lane_type), plane_values, start + 2 * channels)
            incoming = load(zeros(lane_type), feature_gradients, row * stride + scale * channels)
            to, ab = (scale * PLANES * samples + at + row) * channels, times(incoming, a)
            store(gradients, to, times(times(incoming, b), c))
            store(gradients, to + samples * channels, times(ab, c))
            store(gradients, to + 2 * samples * channels, times(ab, b))
