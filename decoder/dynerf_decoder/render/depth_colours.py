"""Colours for depth pictures: the logarithm of the distance on a rainbow of even steps.

The logarithm, because a scene's content often fills a small part of the space in front of the cameras: on a
linear scale of disparity most of it would lie in one tenth of the colours.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from .frame import rgb_to_uint8

# Coefficients of x^0 to x^5 for red, green and blue, fitted within 0.05 RMS to the table of the colour map
# Turbo (A. Mikhailov, "Turbo, an improved rainbow colormap for visualization", 2019). The web renderer has
# the same.
_POLYNOMIAL = (
    (0.16, 0.08, 0.17),
    (3.66, 2.3, 11.14),
    (-35.43, 4.55, -52.1),
    (111.69, -14.38, 91.41),
    (-128.78, 5.54, -71.64),
    (49.22, 1.95, 21.01),
)


def depth_image(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Depth (world units) as 8-bit colours, from red (``nearest``) over green to blue (``farthest``).

    Rays that miss the space have depth 0 and are black.
    """
    return rgb_to_uint8(depth_colours(depth, nearest, farthest))


def depth_colours(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> Float[Tensor, "height width 3"]:
    """``depth_image`` before rounding, on the depth's device."""
    share = torch.log(farthest / depth.clamp_min(1e-6)) / math.log(farthest / nearest)
    share = share.clamp(0, 1).unsqueeze(-1)
    colours = torch.zeros_like(share)
    for coefficients in reversed(_POLYNOMIAL):
        colours = colours * share + share.new_tensor(coefficients)
    return torch.where(depth.unsqueeze(-1) > 0, colours, 0.0).clamp(0, 1)
