"""Which cameras share a lens: all of one picture size by default, because focal lengths are then determined.

One focal length per camera lets false matches bend each of them; it is only for cameras that do differ.
"""

from collections.abc import Sequence

from .colmap.problem import LensGroup
from .footage import Footage
from .options import COLMAP_MODELS, CalibrationOptions

_GUESS = 1.2  # times the longer side: the first guess of a focal length, as COLMAP's


def lens_groups(
    options: CalibrationOptions, footage: Sequence[Footage]
) -> tuple[tuple[LensGroup, ...], dict[str, int]]:
    """The groups, and each camera's index among them."""
    keys = [_key(options, camera) for camera in footage]
    order = list(dict.fromkeys(keys))
    groups = []
    for key in order:
        width, height = footage[keys.index(key)].size
        focal = options.focal or _GUESS * max(width, height)
        model = COLMAP_MODELS[options.lens]
        groups.append(LensGroup(model, width, height, focal, options.focal is not None))
    return tuple(groups), {camera.name: order.index(key) for camera, key in zip(footage, keys, strict=True)}


def _key(options: CalibrationOptions, camera: Footage) -> tuple[object, ...]:
    if options.same_lens == "no":
        return (camera.name,)
    folder = str(camera.path.parent) if options.same_lens == "per-folder" else ""
    return (folder, *camera.size)
