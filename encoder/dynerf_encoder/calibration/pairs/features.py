"""Features of one picture: positions in pixels and unit descriptors, with a plain file format (npz)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dynerf_format.io.atomic_write import atomic_path


@dataclass(frozen=True, eq=False)
class Features:
    """``positions`` in pixels, the first pixel's centre at (0.5, 0.5); ``descriptors`` as SIFT's bytes."""

    positions: Float[np.ndarray, "n 2"]
    descriptors: UInt8[np.ndarray, "n 128"]

    def write(self, path: Path) -> None:
        """Write an npz file. Raises OutputError."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, positions=self.positions, descriptors=self.descriptors)

    @classmethod
    def read(cls, path: Path) -> "Features":
        """Read what ``write`` has written."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["positions"], stored["descriptors"])
