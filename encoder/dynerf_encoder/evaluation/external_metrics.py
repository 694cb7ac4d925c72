"""Metrics computed by optional packages: FLIP by flip-evaluator, JOD by ColorVideoVDP.

A metric whose package is not installed is omitted and reported in one line. The paper's JOD was computed by
FovVideoVDP, the predecessor of ColorVideoVDP; the two are not comparable.
"""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_format.io.temporary import allocate

DISPLAY = "standard_4k"
"""The display that ColorVideoVDP assumes: 30 inch, 3840x2160, seen from 0.75 m."""


class Flip:
    """FLIP (Andersson et al., 2020) of two pictures as displayed, at the package's 67 pixels per degree."""

    def __init__(self) -> None:
        """Raises ImportError."""
        self._package: Any = importlib.import_module("flip_evaluator")

    def __call__(
        self, truth: Float[Tensor, "height width 3"], decoded: Float[Tensor, "height width 3"]
    ) -> float:
        reference, test = (np.ascontiguousarray(picture.numpy(), np.float32) for picture in (truth, decoded))
        return float(self._package.evaluate(reference, test, "LDR", applyMagma=False)[1])


class ColorVideoVdp:
    """Just-objectionable differences of a whole video: 10 means no visible difference, less is worse."""

    def __init__(self) -> None:
        """Raises ImportError, or RuntimeError when a library below it does not fit."""
        self._package: Any = importlib.import_module("pycvvdp")

    def __call__(
        self,
        decoded: UInt8[np.ndarray, "frame height width 3"],
        truth: UInt8[np.ndarray, "frame height width 3"],
        fps: float,
    ) -> float:
        metric = self._package.cvvdp(display_name=DISPLAY, quiet=True)
        # As tensors: the package would copy arrays, and these are mapped files that may exceed memory.
        videos = [torch.from_numpy(video) for video in (decoded, truth)]
        score, _ = metric.predict(*videos, dim_order="FHWC", frames_per_second=fps)
        return float(score)


class Spool:
    """The pictures of one view, decoded and true, kept in files until the sequence is complete."""

    def __init__(self, folder: Path, view: str, frames: int, height: int, width: int) -> None:
        """Raises OutputError when the disk has too little space."""
        shape = (frames, height, width, 3)
        self.decoded = _allocated(folder / f"{view}.decoded", shape)
        self.truth = _allocated(folder / f"{view}.truth", shape)


def _allocated(path: Path, shape: tuple[int, ...]) -> np.memmap:
    allocate(path, math.prod(shape))
    return np.memmap(path, np.uint8, mode="r+", shape=shape)
