"""Defines the poster of a clip: the view of its first capture camera at frame 0."""

import numpy as np
from jaxtyping import UInt8

from dynerf_decoder.cameras.camera import Camera
from dynerf_player.session.stream_encoder import JpegCoder

MAX_SIDE = 1280  # pixels: social networks and cards on dense displays show at most this much
FRAME = 0.0


def poster_camera(camera: Camera) -> Camera:
    """The camera of a poster, from the first capture camera: sides are even and at most ``MAX_SIDE``."""
    scale = min(1.0, MAX_SIDE / max(camera.width, camera.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (camera.width, camera.height))
    return camera.with_size(width, height)


def encode_poster(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A rendered poster as a JPEG file."""
    return JpegCoder().encode(pixels).data
