"""Summarises the header and directory of a .dnv file, read in one or two requests. Does not import torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dynerf_format import FormatError, Header, Reader, sound_entries, tensor_shapes

from .opening import Location, source_at


@dataclass(frozen=True)
class CameraInfo:
    """A camera of the capture: image size in pixels, and ``role``, training or held_out."""

    name: str
    width: int
    height: int
    role: str


@dataclass(frozen=True)
class SegmentInfo:
    """Frames that share a model; ``builds_on`` is the number of preceding segments that it depends on."""

    first_frame: int
    frames: int
    builds_on: int


@dataclass(frozen=True)
class LayerInfo:
    """The first ``layers`` quality layers: bytes of their weights, and held-out PSNR in dB if measured.

    ``own_bytes`` are those of the last of them alone.
    """

    layers: int
    bytes: int
    own_bytes: int
    held_out_psnr: float | str | None


@dataclass(frozen=True)
class SoundInfo:
    """The sound of a clip: bytes of its chunks, seconds of frames that have any, bits per second.

    ``channels`` are those of the first chunk; None when it cannot be read.
    """

    bytes: int
    seconds: float
    bit_rate: float
    channels: int | None


@dataclass(frozen=True)
class Info:
    """A clip's metadata and the sizes of its parts in bytes.

    ``seconds`` is the duration, ``first_source_frame`` the capture's frame number of frame 0, ``quality``
    what the encoder measured, ``config`` the settings of the encode. ``parameters`` and ``tensors`` are None
    for a field unknown to this version, ``sound`` for a clip without any, ``sha256`` and ``chunks_checked``
    without a check.
    """

    layers: tuple[LayerInfo, ...]
    bytes: int
    bytes_by_part: Mapping[str, int]
    frames: int
    fps: float
    seconds: float
    first_source_frame: int
    field: str
    field_settings: Mapping[str, Any]
    sampling: Mapping[str, Any]
    parameters: int | None
    bits_per_parameter: float | None
    latent_bytes_per_frame: float
    tensors: Mapping[str, Sequence[int]] | None
    segments: tuple[SegmentInfo, ...]
    cameras: tuple[CameraInfo, ...]
    space: str
    viewing_volume: tuple[tuple[float, ...], ...]
    quality: Mapping[str, float | str]
    generator: str
    config: Mapping[str, Any]
    sound: SoundInfo | None = None
    sha256: str | None = None
    chunks_checked: int | None = None


def info(location: Location, *, check: bool = False) -> Info:
    """Describe a clip at a path or an address; ``check`` reads the whole file and verifies every checksum.

    Raises FormatError (not a .dnv file, or damaged) and RemoteError (an address that cannot be read).
    """
    with source_at(location) as source:
        reader = Reader(source)
        found = _info(reader, source.size)
        return replace(found, sha256=reader.check(), chunks_checked=len(reader.directory)) if check else found


def _info(reader: Reader, size: int) -> Info:
    header, bytes_by_part = reader.header, reader.bytes_by_kind()
    shapes = tensor_shapes(header.field)
    parameters = None if shapes is None else len(header.segments) * sum(map(math.prod, shapes.values()))
    return Info(
        layers=_layers(reader),
        bytes=size,
        bytes_by_part=bytes_by_part,
        frames=header.frames,
        fps=float(header.fps),
        seconds=float(header.frames / header.fps),
        first_source_frame=header.first_source_frame,
        field=header.field.kind,
        field_settings=header.field.settings,
        sampling=header.sampling,
        parameters=parameters,
        bits_per_parameter=8 * bytes_by_part["WGHT"] / parameters if parameters else None,
        latent_bytes_per_frame=bytes_by_part.get("LATN", 0) / header.frames,
        tensors=shapes,
        segments=_segments(reader),
        cameras=_cameras(header),
        space=header.space.kind,
        viewing_volume=tuple(tuple(corner) for corner in header.viewing_volume),
        quality=header.quality,
        generator=header.generator,
        config=header.config,
        sound=_sound(reader),
    )


def _sound(reader: Reader) -> SoundInfo | None:
    entries = sound_entries(reader.directory, 0, reader.header.frames)
    if not entries:
        return None
    size = sum(entry.end - entry.offset for entry in entries)
    seconds = sum(entry.count for entry in entries) / float(reader.header.fps)
    try:
        first = reader.sound(entries[0])
    except FormatError:
        first = None
    return SoundInfo(size, seconds, 8 * size / seconds, None if first is None else first.channels)


def _segments(reader: Reader) -> tuple[SegmentInfo, ...]:
    builds_on = {e.segment: e.first for e in reader.directory if (e.kind, e.layer) == (b"WGHT", 0)}
    return tuple(
        SegmentInfo(segment.first_frame, segment.frames, builds_on[number])
        for number, segment in enumerate(reader.header.segments)
    )


def _cameras(header: Header) -> tuple[CameraInfo, ...]:
    return tuple(
        CameraInfo(camera.name, camera.width, camera.height, camera.role) for camera in header.cameras
    )


def _layers(reader: Reader) -> tuple[LayerInfo, ...]:
    """Cumulative bytes of weights up to each quality layer, and PSNR with it if the encoder measured it."""
    entries = [entry for entry in reader.directory if entry.kind == b"WGHT"]
    layers, size = [], 0
    for last in sorted({entry.layer for entry in entries}):
        own = sum(entry.end - entry.offset for entry in entries if entry.layer == last)
        size += own
        psnr = reader.header.quality.get(f"held_out_psnr_layers_{last + 1}")
        layers.append(LayerInfo(last + 1, size, own, psnr))
    return tuple(layers)
