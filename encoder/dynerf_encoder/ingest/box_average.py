"""Averages pictures over squares of pixels."""

import numpy as np
from jaxtyping import Bool, UInt8


def box_average(picture: UInt8[np.ndarray, "h w 3"], factor: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Mean over factor x factor pixels, halves rounded up; a remainder at the right and bottom is cropped."""
    if factor == 1:
        return picture
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    area = factor * factor
    exact = np.uint16 if area * 255 + area // 2 < 2**16 else np.uint32
    rows = np.zeros((height, width * factor, 3), exact)
    for row in range(factor):
        rows += picture[row : height * factor : factor, : width * factor]
    total = np.full((height, width, 3), area // 2, exact)
    for column in range(factor):
        total += rows[:, column::factor]
    return (total // area).astype(np.uint8)


def all_in_box(mask: Bool[np.ndarray, "h w"], factor: int) -> Bool[np.ndarray, "h2 w2"]:
    """Whether all of factor x factor pixels are true; cropped as by ``box_average``."""
    height, width = mask.shape[0] // factor, mask.shape[1] // factor
    blocks = mask[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.all(axis=(1, 3)))
