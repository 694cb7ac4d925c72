"""Parses COLMAP's sparse models, text and binary (format: https://colmap.github.io/format.html).

Cameras, images and points, without the matches' pixel positions. The files are not trusted: counts are
checked against the size of the file before anything is allocated.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dynerf_encoder.captures.json_input import MAX_NUMBER, read_bytes
from dynerf_format.errors import CaptureError

# Models by their number in binary files, with their numbers of parameters.
MODELS = (
    ("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8), ("FULL_OPENCV", 12), ("FOV", 5), ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5), ("THIN_PRISM_FISHEYE", 12),
)  # fmt: skip
_MAX_NAME = 4096


@dataclass(frozen=True, eq=False)
class ColmapCamera:
    """A row of cameras: model, picture size, and parameters in the model's order."""

    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """A row of images: its name, camera, and pose x_camera = R(quaternion) x_world + translation."""

    number: int
    name: str
    camera: int
    quaternion: Float[np.ndarray, "4"]
    translation: Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class ColmapPoint:
    """A point in world units, and the numbers of the images that observe it."""

    position: Float[np.ndarray, "3"]
    images: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """A sparse model: cameras by number, images, and points (none when their file is missing)."""

    cameras: dict[int, ColmapCamera]
    images: tuple[ColmapImage, ...]
    points: tuple[ColmapPoint, ...]


def read_model(folder: Path) -> ColmapModel:
    """The model in a folder, text or binary. Raises CaptureError, naming the file."""
    if (folder / "cameras.bin").is_file():
        paths, readers = (
            [folder / f"{name}.bin" for name in _NAMES],
            (_binary_cameras, _binary_images, _binary_points),
        )
    else:
        paths, readers = (
            [folder / f"{name}.txt" for name in _NAMES],
            (_text_cameras, _text_images, _text_points),
        )
    found: list[list[object]] = []
    for path, reader in zip(paths, readers, strict=True):
        if path.stem == "points3D" and not path.is_file():
            found.append([])
            continue
        data = read_bytes(path, "a file of a COLMAP model")
        try:
            found.append(list(reader(data)))
        except (struct.error, ValueError, IndexError, KeyError) as error:
            raise CaptureError(f"{path}: cannot be read as a COLMAP model: {str(error)[:100]}") from error
    cameras, images, points = found
    return ColmapModel(dict(cameras), tuple(images), tuple(points))  # type: ignore[arg-type]


_NAMES = ("cameras", "images", "points3D")


def _lines(data: bytes) -> Iterator[list[str]]:
    for line in data.decode("utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split()


def _text_cameras(data: bytes) -> Iterator[tuple[int, ColmapCamera]]:
    for words in _lines(data):
        if words:
            number, model, width, height, *params = words
            yield int(number), _camera(model, int(width), int(height), tuple(map(float, params)))


def _text_images(data: bytes) -> Iterator[ColmapImage]:
    rows = iter(_lines(data))
    for words in rows:
        if not words:
            continue
        if len(words) < 10:
            raise ValueError(f"an image of {len(words)} values, expected 10")
        next(rows, None)  # its observations, possibly an empty line
        values = np.array(words[1:8], np.float64)
        yield _image(int(words[0]), " ".join(words[9:]), int(words[8]), values)


def _text_points(data: bytes) -> Iterator[ColmapPoint]:
    for words in _lines(data):
        if words:
            yield _point(np.array(words[1:4], np.float64), [int(word) for word in words[8::2]])


def _binary_cameras(data: bytes) -> Iterator[tuple[int, ColmapCamera]]:
    (count,), at = struct.unpack_from("<Q", data), 8
    for _ in range(_bounded(count, data, 24)):
        number, model, width, height = struct.unpack_from("<iiQQ", data, at)
        if not 0 <= model < len(MODELS):
            raise ValueError(f"camera model number {model}, expected 0 to {len(MODELS) - 1}")
        name, size = MODELS[model]
        yield number, _camera(name, width, height, struct.unpack_from(f"<{size}d", data, at + 24))
        at += 24 + 8 * size


def _binary_images(data: bytes) -> Iterator[ColmapImage]:
    (count,), at = struct.unpack_from("<Q", data), 8
    for _ in range(_bounded(count, data, 73)):
        number, *values, camera = struct.unpack_from("<i7di", data, at)
        end = data.index(b"\0", at + 64, at + 64 + _MAX_NAME)
        (observed,) = struct.unpack_from("<Q", data, end + 1)
        yield _image(number, data[at + 64 : end].decode("utf-8"), camera, np.array(values))
        at = end + 9 + 24 * _bounded(observed, data, 24)


def _binary_points(data: bytes) -> Iterator[ColmapPoint]:
    (count,), at = struct.unpack_from("<Q", data), 8
    for _ in range(_bounded(count, data, 51)):
        position = np.array(struct.unpack_from("<3d", data, at + 8))
        (length,) = struct.unpack_from("<Q", data, at + 43)
        track = struct.unpack_from(f"<{2 * _bounded(length, data, 8)}i", data, at + 51)
        yield _point(position, list(track[::2]))
        at += 51 + 8 * length


def _bounded(count: int, data: bytes, size: int) -> int:
    """A count of entries of at least ``size`` bytes. Raises ValueError when the file cannot hold them."""
    if count > len(data) // size:
        raise ValueError(f"{count} entries in {len(data)} bytes")
    return count


def _camera(model: str, width: int, height: int, params: tuple[float, ...]) -> ColmapCamera:
    known = dict(MODELS)
    if model not in known:
        raise ValueError(f"camera model {model[:40]!r}, expected one of {', '.join(known)}")
    if len(params) != known[model]:
        raise ValueError(f"camera model {model} with {len(params)} parameters, expected {known[model]}")
    return ColmapCamera(model, width, height, params)


def _image(number: int, name: str, camera: int, values: Float[np.ndarray, "7"]) -> ColmapImage:
    if not np.isfinite(values).all() or np.abs(values).max() > MAX_NUMBER:
        raise ValueError(f"image {name[:80]}: its pose is not finite")
    return ColmapImage(number, name, camera, values[:4], values[4:])


def _point(position: Float[np.ndarray, "3"], images: list[int]) -> ColmapPoint:
    if not np.isfinite(position).all():
        raise ValueError("a point is not finite")
    return ColmapPoint(position, tuple(images))
