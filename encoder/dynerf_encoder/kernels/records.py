"""Records of flat arrays that the kernels of a training step share.

A ``lane_type`` is a tuple of as many zeros as there are lanes: numba compiles a kernel for that number.
"""

from typing import NamedTuple

import numpy as np

from dynerf_decoder.kernels.records import Bounds, LaneType

DEAD_ZONE = np.float32(0.12)
"""Planes are rounded after moving them so many steps towards zero (``rate/plane_passes.py``)."""


class NetworkArrays(NamedTuple):
    """A network with one hidden layer, in both directions.

    ``lane_type`` has as many items as a row of outputs, padded with zeros to a multiple of 4, has lanes;
    ``stride`` is the number of features padded to a multiple of the items of ``tile_type``. Hidden units are
    padded to a multiple of ``WIDTH``. ``view_features`` is the number of features that are not directions.
    """

    lane_type: LaneType
    stride: int
    weights: np.ndarray  # W, (feature, hidden)
    bias: np.ndarray
    out_weights: np.ndarray  # V transposed, (hidden, output)
    out_bias: np.ndarray
    weights_back: np.ndarray  # W transposed
    out_weights_back: np.ndarray  # V
    outputs: int
    view_features: int
    tile_type: LaneType


class NetworkGradients(NamedTuple):
    """Gradients of W, b, V and c; those of V and c have as many rows as there are lanes."""

    weights: np.ndarray
    bias: np.ndarray
    out_weights: np.ndarray
    out_bias: np.ndarray


class Field(NamedTuple):
    """The folded planes of all scales of one frame, the offset and size of each scale, and the network.

    ``lane_type`` has as many items as there are channels.
    """

    planes: np.ndarray
    origins: np.ndarray
    sizes: np.ndarray
    lane_type: LaneType
    network: NetworkArrays


class RayArrays(NamedTuple):
    """Starts, differences from start to end, lengths, hit flags, colours and encoded directions."""

    starts: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray
    hit: np.ndarray
    colours: np.ndarray
    directions: np.ndarray


class JitterArrays(NamedTuple):
    """Uniform random numbers for coarse and fine edges."""

    coarse: np.ndarray
    fine: np.ndarray


class StepConstants(NamedTuple):
    """Bounds of densities, numbers of coarse and fine intervals, scales of the two errors' gradients."""

    bounds: Bounds
    coarse_count: int
    fine_count: int
    colour_scale: np.float32
    bound_scale: np.float32


class SampleBuffers(NamedTuple):
    """Positions of a frame's samples along the rays, and gradients of the planes' values there."""

    positions: np.ndarray
    gradients: np.ndarray


class SampleScratch(NamedTuple):
    """Scratch arrays for the samples of a block of rays.

    ``plane_values`` are the interpolated values of each plane, ``activated`` the outputs after the logistic.
    """

    plane_values: np.ndarray
    features: np.ndarray
    hidden: np.ndarray
    outputs: np.ndarray
    hidden_gradients: np.ndarray
    output_gradients: np.ndarray
    feature_gradients: np.ndarray
    activated: np.ndarray


class IntervalScratch(NamedTuple):
    """Scratch arrays for the intervals of a block of rays."""

    edges: np.ndarray
    lengths: np.ndarray
    exponents: np.ndarray
    density: np.ndarray
    transmittance: np.ndarray
    weights: np.ndarray
    weight_gradients: np.ndarray


class RayScratch(NamedTuple):
    """Scratch arrays for the view network and a block of rays.

    ``composited`` are the activated outputs summed along each ray by weight.
    """

    features: np.ndarray
    hidden: np.ndarray
    outputs: np.ndarray
    hidden_gradients: np.ndarray
    output_gradients: np.ndarray
    feature_gradients: np.ndarray
    composited: np.ndarray


class PassScratch(NamedTuple):
    """Scratch arrays for one of the two passes over a block of rays."""

    samples: SampleScratch
    intervals: IntervalScratch


class Scratch(NamedTuple):
    """Scratch arrays of one thread; ``cumulative`` is for a cumulative histogram."""

    coarse: PassScratch
    fine: PassScratch
    rays: RayScratch
    cumulative: np.ndarray


class RaySpan(NamedTuple):
    """A range of rays, ``stop`` excluded, of a frame with ``frame_rays`` rays; those beyond are padding."""

    start: int
    stop: int
    frame_rays: int


class StepGradients(NamedTuple):
    """Gradients of the three networks."""

    coarse: NetworkGradients
    fine: NetworkGradients
    colour: NetworkGradients  # the view network


class StaticAndBasis(NamedTuple):
    """A number for static planes and one for basis planes."""

    static: np.float32
    basis: np.float32


class TrainedValues(NamedTuple):
    """Parameters and Adam's running means of their gradients and of the gradients' squares."""

    values: np.ndarray
    first_moments: np.ndarray
    second_moments: np.ndarray


class AdamFactors(NamedTuple):
    """1 - beta1, beta2, 1 - beta2, rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t) and epsilon, at step t."""

    one_minus_beta1: np.float32
    beta2: np.float32
    one_minus_beta2: np.float32
    step_size: np.float32
    correction: np.float32
    epsilon: np.float32


class FoldedLayout(NamedTuple):
    """The distance between the folded planes of two frames, and the offset of one plane within a frame."""

    frame_stride: int
    plane_offset: int
