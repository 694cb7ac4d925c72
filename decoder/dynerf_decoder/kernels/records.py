"""Named tuples of kernel arguments. Arrays are flat."""

from typing import NamedTuple

import numpy as np

LaneType = tuple[np.float32, ...]
"""Zeros, one for each lane; only the length counts."""


class IndexRange(NamedTuple):
    """A range of indices, ``stop`` excluded."""

    start: int
    stop: int


class Bounds(NamedTuple):
    """The bias added to a raw density, and the limits of the resulting exponent."""

    bias: np.float32
    least: np.float32
    most: np.float32


class Stack(NamedTuple):
    """Planes and size of each scale, and the network that decodes them: W, b, V transposed and c.

    ``channels`` has one item for each channel, ``outputs`` one for each output.
    """

    planes: tuple[np.ndarray, ...]
    sizes: np.ndarray
    channels: LaneType
    weights: np.ndarray
    bias: np.ndarray
    outputs: LaneType
    out_weights: np.ndarray
    out_bias: np.ndarray


class ViewNetwork(NamedTuple):
    """W as (input, hidden), b, V as (3, hidden), c; hidden units are padded to whole lanes."""

    weights: np.ndarray
    bias: np.ndarray
    out_weights: np.ndarray
    out_bias: np.ndarray


class CellBits(NamedTuple):
    """Which cells are occupied, as bits, ``size`` cells per side."""

    bits: np.ndarray
    size: int


class MarchGrids(NamedTuple):
    """The occupancy grids of the coarse and the fine field."""

    coarse: CellBits
    fine: CellBits


class MarchRays(NamedTuple):
    """Starts and ends in the cube, hit flags, and directions in the world."""

    starts: np.ndarray
    ends: np.ndarray
    hit: np.ndarray
    directions: np.ndarray


class MarchSettings(NamedTuple):
    """Density bounds, and the transmittance at which a ray ends."""

    bounds: Bounds
    min_transmittance: np.float32


class CoarseScratch(NamedTuple):
    """Constants and buffers of ``histogram`` for so many ``samples`` of a ray; arrays hold whole blocks.

    ``positions`` are the midpoints of the intervals, and ``chosen`` the indices of those that are decoded,
    each with a block more; ``cells``, ``texels``, ``fractions`` and ``densities`` are those of one block.
    ``even`` and ``gain`` are the constants of ``to_shares``, ``targets`` those of ``draw_edges``.
    """

    samples: int
    positions: np.ndarray
    chosen: np.ndarray
    cells: np.ndarray
    texels: np.ndarray
    fractions: np.ndarray
    densities: np.ndarray
    depths: np.ndarray
    even: np.ndarray
    gain: np.float32
    shares: np.ndarray
    targets: np.ndarray


class FineScratch(NamedTuple):
    """Buffers of ``SLOTS`` samples: cells, features, hidden units and raw outputs."""

    texels: np.ndarray
    fractions: np.ndarray
    features: np.ndarray
    hidden: np.ndarray
    raw: np.ndarray


class ViewScratch(NamedTuple):
    """Buffers of ``shade``: inputs and hidden units."""

    inputs: np.ndarray
    hidden: np.ndarray


class Share(NamedTuple):
    """The number of an interval, and the cumulative weights at its ends."""

    interval: np.float32
    low: np.float32
    high: np.float32


class Slots(NamedTuple):
    """``SLOTS`` rays in progress, each with so many ``intervals``.

    Of each ray: start and direction in the cube, (axis, slot), and length; its intervals' edges and middles,
    and the numbers of those that are decoded (``chosen``), in as many items each; how many those are
    (``ends``), which is the present one (``steps``), its index in ``edges`` and ``middles`` (``places``),
    what is added to its length (``walls``), and its weight; summed outputs, transmittance, median position
    and the ray's index.
    ``cells`` and ``done`` are buffers.
    """

    intervals: int
    starts: np.ndarray
    directions: np.ndarray
    lengths: np.ndarray
    edges: np.ndarray
    middles: np.ndarray
    chosen: np.ndarray
    ends: np.ndarray
    steps: np.ndarray
    places: np.ndarray
    walls: np.ndarray
    weights: np.ndarray
    totals: np.ndarray
    transmittance: np.ndarray
    medians: np.ndarray
    rays: np.ndarray
    cells: np.ndarray
    done: np.ndarray
