"""Builds cameras, space, sampling and viewing volume from a file's header.

No value is trusted: numbers that cannot be rendered with are refused before anything is rendered.
"""

import numpy as np

from dynerf_decoder.cameras.camera import MAX_DISTANCE, Camera
from dynerf_decoder.cameras.rotation import rotation_fault
from dynerf_decoder.cameras.viewing_volume import ViewingVolume
from dynerf_format.container.records import CameraRecord, Header
from dynerf_format.errors import FormatError
from dynerf_format.values import is_integer

from .contraction import Space
from .ray_sampling import Sampling

MAX_SAMPLES = 4096
_MAX_PIXELS = 1e9  # of focal lengths and principal points; focal lengths are at least the inverse


def space_of(header: Header) -> Space:
    """The space described by a header."""
    matrix = np.array(header.space.matrix, dtype=np.float64).reshape(4, 4)
    return Space(header.space.kind, matrix, header.space.near)


def camera_of(record: CameraRecord) -> Camera:
    """The camera described by a header's record. Raises FormatError when it cannot be rendered."""
    pose = np.array(record.camera_to_world, dtype=np.float64).reshape(3, 4)
    where = f"header: camera {record.name!r}"
    if np.abs(pose).max() > MAX_DISTANCE:
        raise FormatError(f"{where}: farther than {MAX_DISTANCE:g} from the origin")
    if fault := rotation_fault(pose[:, :3]):
        raise FormatError(f"{where}: the 3x3 part of camera_to_world {fault}")
    focal_lengths = (record.focal_x, record.focal_y, 1 / record.focal_x, 1 / record.focal_y)
    if max(*focal_lengths, abs(record.centre_x), abs(record.centre_y)) > _MAX_PIXELS:
        raise FormatError(f"{where}: focal length or principal point beyond {_MAX_PIXELS:g} pixels")
    return Camera(
        name=record.name,
        width=record.width,
        height=record.height,
        focal_x=record.focal_x,
        focal_y=record.focal_y,
        centre_x=record.centre_x,
        centre_y=record.centre_y,
        camera_to_world=pose,
    )


def volume_of(header: Header) -> ViewingVolume:
    """The viewing volume declared by a header. Raises FormatError when it is too large."""
    corners = np.array(header.viewing_volume, dtype=np.float64).reshape(-1, 3)
    if len(corners) and np.abs(corners).max() > MAX_DISTANCE:
        raise FormatError(f"header.viewing_volume: extends farther than {MAX_DISTANCE:g} from the origin")
    return ViewingVolume(corners)


def sampling_of(header: Header) -> Sampling:
    """The sampling described by a header. Raises FormatError when a value is out of range."""
    found = header.sampling
    coarse, fine, union = found.get("coarse"), found.get("fine"), found.get("union")
    for name, value in (("coarse", coarse), ("fine", fine)):
        if not is_integer(value, 2, MAX_SAMPLES):
            raise FormatError(f"header.sampling.{name}: found {value!r}, expected 2 to {MAX_SAMPLES}")
    if not isinstance(union, bool):
        raise FormatError(f"header.sampling.union: found {union!r}, expected true or false")
    assert isinstance(coarse, int)
    assert isinstance(fine, int)
    return Sampling(coarse, fine, union)
