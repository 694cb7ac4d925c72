"""Chooses the origin of the training's coordinates: the world's, or one near the rig when that is far away.

Training rays are float32. In map coordinates (UTM: millions of metres) float32 cannot resolve the distance
between cameras, so for training cameras and space are translated to an origin near the rig, in float64. The
file holds the capture's own coordinates.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera

_FAR_RATIO = 100  # distance over the rig's size; up to here float32 resolves a hundred-thousandth of the size


def local_origin(cameras: Sequence[Camera], near: Sequence[float]) -> Float[np.ndarray, "3"]:
    """The world point that becomes the origin of the training's coordinates.

    Zero for a rig that is not far from the origin. Otherwise near the rig's centre, a multiple of a power of
    two, so that subtracting it is exact. ``near`` are the cameras' near depths: the rig's size is at least
    their minimum.
    """
    origins = np.stack([camera.origin for camera in cameras])
    centre = origins.mean(axis=0)
    size = max(float(np.linalg.norm(origins - centre, axis=1).max()), min(near))
    if np.linalg.norm(centre) <= _FAR_RATIO * size:
        return np.zeros(3)
    unit = 2.0 ** np.ceil(np.log2(size))
    return np.asarray(np.round(centre / unit) * unit)
