"""What kernels take together, by name. Arrays are flat; ``like`` is a tuple of as many zeros as lanes."""

from typing import NamedTuple

import numpy as np

Like = tuple[np.float32, ...]


class Bounds(NamedTuple):
    """What is added to a raw density, and the least and the most of the exponent that it then is."""

    bias: np.float32
    least: np.float32
    most: np.float32


class Stack(NamedTuple):
    """Planes and size of each scale, and the network that decodes them: W, b, V transposed and c.

    ``like`` has as many items as there are channels, ``outputs`` as there are outputs.
    """

    planes: tuple[np.ndarray, ...]
    sizes: np.ndarray
    like: Like
    weights: np.ndarray
    bias: np.ndarray
    outputs: Like
    out_weights: np.ndarray
    out_bias: np.ndarray


class ViewNetwork(NamedTuple):
    """W as (input, hidden), b, V as (3, hidden), c; hidden units filled up to whole lanes."""

    weights: np.ndarray
    bias: np.ndarray
    out_weights: np.ndarray
    out_bias: np.ndarray


class Grid(NamedTuple):
    """Which cells may hold something, ``size`` a side; without a grid there are no cells."""

    bits: np.ndarray
    size: int


class Grids(NamedTuple):
    """Where the coarse and the fine field are empty."""

    coarse: Grid
    fine: Grid


class Rays(NamedTuple):
    """Starts in the cube, steps to the ends, lengths, which hit, and directions in the world."""

    starts: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray
    hit: np.ndarray
    directions: np.ndarray


class Rule(NamedTuple):
    """Bounds of densities, the share of the histogram that is spread evenly, and where a ray ends."""

    bounds: Bounds
    padding: np.float32
    opaque: np.float32


class CoarseScratch(NamedTuple):
    """Room for ``histogram``: features, densities and optical depths are of whole blocks of samples.

    ``positions`` are the middles of the intervals, ``chosen`` the numbers of those that are decoded.
    """

    features: np.ndarray
    positions: np.ndarray
    chosen: np.ndarray
    found: np.ndarray
    depths: np.ndarray
    weights: np.ndarray


class FineScratch(NamedTuple):
    """Room for ``ROWS`` samples: features, hidden units, raw outputs and lengths."""

    features: np.ndarray
    hidden: np.ndarray
    raw: np.ndarray
    lengths: np.ndarray


class ViewScratch(NamedTuple):
    """Room for ``shade``: inputs and hidden units."""

    seen: np.ndarray
    hidden: np.ndarray


class Slots(NamedTuple):
    """``ROWS`` rays under way: edges, outputs summed, transmittance, next interval and ray of each."""

    edges: np.ndarray
    totals: np.ndarray
    left: np.ndarray
    places: np.ndarray
    numbers: np.ndarray
