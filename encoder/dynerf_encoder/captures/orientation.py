"""Turns pictures upright, by the display matrix of a video or the orientation of a photograph.

Only quarter turns: a mirrored, stretched or slanted picture is refused.
"""

from math import atan2, degrees

import numpy as np
from jaxtyping import UInt8

from dynerf_format.errors import CaptureError

MAX_STRETCH = 1e-2  # from a rotation


def quarter_turns(matrix: bytes, where: str) -> int:
    """How many quarter turns, counter-clockwise, show a picture upright, from 0 to 3.

    ``matrix`` is a display matrix: nine 32-bit integers in FFmpeg's order. Raises CaptureError for any other
    change than a quarter turn.
    """
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float) / 2**16
    scale = max(abs(a), abs(b), abs(c), abs(d))
    tolerance = MAX_STRETCH * scale
    for turns, (x, y) in enumerate(((1, 0), (0, -1), (-1, 0), (0, 1))):
        size = a * x + b * y  # the matrix (a, b, c, d) is size * (x, y, -y, x)
        if size > 0 and np.abs(np.array([a, b, c, d]) - size * np.array([x, y, -y, x])).max() <= tolerance:
            return turns
    if abs(b) <= tolerance and abs(c) <= tolerance and a > 0 and d > 0:
        raise CaptureError(f"{where}: is to be shown stretched by {a:g} x {d:g}, expected no stretching")
    mirrored = a * d - b * c < 0
    angle = -round(degrees(atan2(-b, -a) if mirrored else atan2(b, a))) % 360
    angle -= 360 if angle > 180 else 0
    changes = (["mirrored"] if mirrored else []) + ([f"rotated by {angle} degrees"] if angle else [])
    raise CaptureError(
        f"{where}: is to be shown {' and '.join(changes)}, expected upright or quarter turns; re-encode it "
        "with ffmpeg, which makes it upright, or, if the poses are of the pictures as stored, remove the "
        "display matrix: ffmpeg -display_rotation 0 -i IN -c copy OUT"
    )


def upright(picture: UInt8[np.ndarray, "h w 3"], turns: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture after some quarter turns, counter-clockwise."""
    return picture if turns == 0 else np.ascontiguousarray(np.rot90(picture, turns))
