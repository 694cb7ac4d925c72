"""What the kernels of a training step take together, by name. Arrays are flat.

``like`` is a tuple of as many zeros as there are lanes.
"""

from typing import NamedTuple

import numpy as np

from dynerf_decoder.backends.cpu.kernels.records import Bounds, LaneType


class Network(NamedTuple):
    """A network with one hidden layer, in both directions.

    ``like`` has as many items as a row of outputs has lanes, filled up with zeros to a multiple of 4;
    ``stride`` is the number of features filled up to a multiple of the items of ``tile``. Hidden units are
    filled up to a multiple of ``WIDTH``. ``view_features`` is the number of features that are no directions.
    """

    like: LaneType
    stride: int
    weights: np.ndarray  # W, (feature, hidden)
    bias: np.ndarray
    out_weights: np.ndarray  # V transposed, (hidden, output)
    out_bias: np.ndarray
    weights_back: np.ndarray  # W transposed
    out_weights_back: np.ndarray  # V
    outputs: int
    view_features: int
    tile: LaneType


class NetworkSums(NamedTuple):
    """Gradients of W, b, V and c; those of V and c have as many rows as there are lanes."""

    weights: np.ndarray
    bias: np.ndarray
    out_weights: np.ndarray
    out_bias: np.ndarray


class Field(NamedTuple):
    """The folded planes of all scales of one frame, where each scale's begin, their sizes, and the network.

    ``like`` has as many items as there are channels.
    """

    planes: np.ndarray
    origins: np.ndarray
    sizes: np.ndarray
    like: LaneType
    network: Network


class Rays(NamedTuple):
    """Starts, steps to the ends, lengths, which hit, colours and encoded directions."""

    starts: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray
    hit: np.ndarray
    colours: np.ndarray
    directions: np.ndarray


class Jitter(NamedTuple):
    """Uniform numbers for coarse and fine edges."""

    coarse: np.ndarray
    fine: np.ndarray


class Rule(NamedTuple):
    """Bounds of densities, numbers of coarse and fine intervals, scales of the two errors' gradients."""

    bounds: Bounds
    bins: int
    samples: int
    scale: np.float32
    bound_scale: np.float32


class Written(NamedTuple):
    """Of a frame's samples: positions along the rays, and the gradients of what they found in the planes."""

    positions: np.ndarray
    changes: np.ndarray


class SampleScratch(NamedTuple):
    """Room for the samples of a block of rays; ``found`` is what each found in each plane."""

    found: np.ndarray
    features: np.ndarray
    hidden: np.ndarray
    out: np.ndarray
    change: np.ndarray
    gradients: np.ndarray
    to_features: np.ndarray
    seen: np.ndarray


class IntervalScratch(NamedTuple):
    """Room for the intervals of a block of rays; ``change`` are the gradients of the weights."""

    edges: np.ndarray
    lengths: np.ndarray
    exponents: np.ndarray
    density: np.ndarray
    through: np.ndarray
    weights: np.ndarray
    change: np.ndarray


class RayScratch(NamedTuple):
    """Room for the view network and a block of rays; ``totals`` are the outputs summed along each."""

    features: np.ndarray
    hidden: np.ndarray
    outputs: np.ndarray
    change: np.ndarray
    gradients: np.ndarray
    to_features: np.ndarray
    totals: np.ndarray


class Pass(NamedTuple):
    """Room for one of the two passes over a block of rays."""

    samples: SampleScratch
    intervals: IntervalScratch


class Scratch(NamedTuple):
    """Room that a thread writes on; ``running`` is for a cumulative histogram."""

    coarse: Pass
    fine: Pass
    rays: RayScratch
    running: np.ndarray


class Sums(NamedTuple):
    """Gradients of the three networks; the view network finishes the colour."""

    coarse: NetworkSums
    fine: NetworkSums
    colour: NetworkSums


class AdamNumbers(NamedTuple):
    """1 - beta1, beta2, 1 - beta2, rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t) and epsilon, at step t."""

    ahead: np.float32
    keep: np.float32
    take: np.float32
    rate: np.float32
    correction: np.float32
    epsilon: np.float32


class Spans(NamedTuple):
    """Numbers between two frames' folded planes, and before the plane that is meant."""

    frame: int
    plane: int
