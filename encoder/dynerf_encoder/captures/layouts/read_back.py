"""Compares a capture that was written in another layout with what its reader makes of it.

A layout finds a camera's pictures by rules of its own: by the order of names, by a folder's name, in all
files of a folder. Where these lead to other pictures than the capture's, poses would belong to wrong cameras.
"""

from os import path as os_path

import numpy as np
from jaxtyping import Float

from dynerf_encoder.captures.capture import Capture, CaptureView
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.picture_source import PictureSequence
from dynerf_format.errors import CaptureError

_EQUAL = 1e-6  # of the rig's size, and of unit rays

_Source = tuple[str, ...]
"""A video, or the files of a picture sequence."""


def check_same_cameras(found: Capture, expected: Capture) -> None:
    """CaptureError unless both have the same pictures, in step, with the same lenses and poses."""
    views = {_source(view): view for view in found.views}
    others = {_source(view) for view in expected.views}
    for view in expected.views:
        if _source(view) not in views:
            raise CaptureError(f"{view.name} ({view.video.name}) is missing, or has other pictures")
        _check_same(views[_source(view)], view, _size(expected))
    for view in found.views:
        if _source(view) not in others:
            raise CaptureError(f"{view.video} is taken for a camera of the capture")


def _check_same(found: CaptureView, expected: CaptureView, size: float) -> None:
    wrong = None
    if found.first != expected.first:
        wrong = f"starts at frame {found.first}, expected {expected.first}"
    elif not np.allclose(_corner_rays(found.lens), _corner_rays(expected.lens), rtol=0, atol=_EQUAL):
        wrong = "has another lens"
    else:
        off = np.abs(found.camera.camera_to_world - expected.camera.camera_to_world)
        if off[:, :3].max() > _EQUAL or off[:, 3].max() > _EQUAL * size:
            wrong = "has another pose"
    if wrong:
        raise CaptureError(f"{expected.name} ({expected.video.name}) {wrong}")


def _source(view: CaptureView) -> _Source:
    source = view.source
    files = source.files if isinstance(source, PictureSequence) else (source.path,)
    return tuple(os_path.normpath(file.absolute()) for file in files)


def _corner_rays(lens: Lens) -> Float[np.ndarray, "5 3"]:
    """Unit rays of the corners and the middle of a picture."""
    width, height = lens.width, lens.height
    return lens.directions(
        np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], np.float64)
    )


def _size(capture: Capture) -> float:
    """The largest extent of the cameras' centres along an axis."""
    centres = np.stack([view.camera.camera_to_world[:, 3] for view in capture.views])
    return float(np.ptp(centres, axis=0).max()) or 1.0
