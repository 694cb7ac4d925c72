"""Where training's coordinates begin: at the world's origin, or near the rig when that is far from it.

Rays of a training are float32. In map coordinates (UTM: millions of metres) a float32 cannot tell one camera
from the next, so cameras and space are moved to an origin near the rig for the training, in float64. The file
holds the capture's own coordinates again.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.camera import Camera

_FAR = 100  # times the rig's size; float32 then places cameras to a hundred-thousandth of it


def local_origin(cameras: Sequence[Camera], near: Sequence[float]) -> Float[np.ndarray, "3"]:
    """The point of the world that becomes the origin of the training's coordinates.

    Zero for a rig that is not far from the origin, ``near`` being the depths from which its cameras see. Else
    near the rig's centre, a multiple of a power of two: subtracting it loses nothing.
    """
    places = np.stack([camera.origin for camera in cameras])
    centre = places.mean(axis=0)
    size = max(float(np.linalg.norm(places - centre, axis=1).max()), min(near))
    if np.linalg.norm(centre) <= _FAR * size:
        return np.zeros(3)
    unit = 2.0 ** np.ceil(np.log2(size))
    return np.asarray(np.round(centre / unit) * unit)
