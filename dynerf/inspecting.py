"""What is in a .dnv file. Needs neither torch nor the decoder; reads one layer of weights to count them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynerf_format import Header, Reader, weights_entry

from .opening import Place, source_at


@dataclass(frozen=True)
class CameraInfo:
    """A camera of the recording: picture size in pixels, and ``role``, training or held_out."""

    name: str
    width: int
    height: int
    role: str


@dataclass(frozen=True)
class SegmentInfo:
    """Frames with a model of their own; ``builds_on`` counts the segments before it that it needs."""

    first_frame: int
    frames: int
    builds_on: int


@dataclass(frozen=True)
class LayerInfo:
    """A number of quality layers: bytes of their weights, and held-out PSNR in dB where it was measured."""

    layers: int
    bytes: int
    held_out_psnr: float | str | None


@dataclass(frozen=True)
class Info:
    """What a clip says of itself, and what its parts take in bytes.

    ``seconds`` is the duration, ``first_source_frame`` the recording's frame that frame 0 is, ``quality``
    what the encoder measured, ``config`` the settings it was encoded with.
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
    parameters: int
    bits_per_parameter: float
    latent_bytes_per_frame: float
    tensors: Mapping[str, tuple[int, ...]]
    segments: tuple[SegmentInfo, ...]
    cameras: tuple[CameraInfo, ...]
    space: str
    viewing_volume: tuple[tuple[float, ...], ...]
    quality: Mapping[str, float | str]
    generator: str
    config: Mapping[str, Any]


def info(place: Place) -> Info:
    """What is in a clip at a path or an address.

    Raises FormatError (not a .dnv file, or damaged) and RemoteError (an address that cannot be read).
    """
    with source_at(place) as source:
        return _info(Reader(source), source.size)


def _info(reader: Reader, size: int) -> Info:
    header, spent = reader.header, reader.bytes_by_kind()
    tensors, parameters = _tensors(reader)
    return Info(
        layers=_layers(reader),
        bytes=size,
        bytes_by_part=spent,
        frames=header.frames,
        fps=float(header.fps),
        seconds=float(header.frames / header.fps),
        first_source_frame=header.first_source_frame,
        field=header.field.kind,
        field_settings=header.field.settings,
        sampling=header.sampling,
        parameters=parameters,
        bits_per_parameter=8 * spent.get("WGHT", 0) / max(parameters, 1),
        latent_bytes_per_frame=spent.get("LATN", 0) / header.frames,
        tensors=tensors,
        segments=_segments(reader),
        cameras=_cameras(header),
        space=header.space.kind,
        viewing_volume=tuple(tuple(corner) for corner in header.viewing_volume),
        quality=header.quality,
        generator=header.generator,
        config=header.config,
    )


def _tensors(reader: Reader) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shapes of the weights by name, and how many numbers they hold over all segments."""
    shapes: dict[str, tuple[int, ...]] = {}
    parameters = 0
    for number in range(len(reader.header.segments)):
        for name, tensor in reader.weights(number, layers=1).items():
            shapes[name] = tuple(tensor.symbols.shape)
            parameters += tensor.symbols.size
    return shapes, parameters


def _segments(reader: Reader) -> tuple[SegmentInfo, ...]:
    return tuple(
        SegmentInfo(segment.first_frame, segment.frames, weights_entry(reader.directory, number).first)
        for number, segment in enumerate(reader.header.segments)
    )


def _cameras(header: Header) -> tuple[CameraInfo, ...]:
    return tuple(
        CameraInfo(camera.name, camera.width, camera.height, camera.role) for camera in header.cameras
    )


def _layers(reader: Reader) -> tuple[LayerInfo, ...]:
    """What each quality layer brings: bytes of weights in it and below, PSNR if the encoder measured it."""
    entries = [entry for entry in reader.directory if entry.kind == b"WGHT"]
    layers = []
    for last in sorted({entry.layer for entry in entries}):
        size = sum(entry.end - entry.offset for entry in entries if entry.layer <= last)
        psnr = reader.header.quality.get(f"held_out_psnr_layers_{last + 1}")
        layers.append(LayerInfo(last + 1, size, psnr))
    return tuple(layers)
