"""Small clips of the ``planes`` field with walls, empty space and movement, without training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.build import build_model, load_model, settings_record
from dynerf_decoder.fields.planes import PlanesSettings
from dynerf_encoder.export.occupancy_grid import find_occupancy
from dynerf_format import (
    BytesSource,
    Chunk,
    FieldRecord,
    Header,
    QuantisedTensor,
    Reader,
    SpaceRecord,
    clip_bytes,
    latents_chunk,
    occupancy_chunk,
    quantise,
    weights_chunks,
)
from dynerf_format.container.chunks import unpack_latents
from support.clips import camera, small_header

SETTINGS = PlanesSettings(
    latent=6, scales=(8, 20), basis=(3, 0), channels=8, hidden=32, view_features=5, view_hidden=16,
    coarse_scale=12, coarse_basis=2, coarse_channels=4, coarse_hidden=12,
)  # fmt: skip
# Software GL spends its time on compiling shaders and on folding: for tests of what is around pictures.
SMALLEST = PlanesSettings(
    latent=3, scales=(8, 10), basis=(2, 0), channels=4, hidden=8, view_features=1, view_hidden=4,
    coarse_scale=6, coarse_basis=1, coarse_channels=4, coarse_hidden=4,
)  # fmt: skip
_POSE = (1.0, 0, 0, 0.3, 0, 1, 0, -0.2, 0, 0, 1, 2.6)
_MATRIX = (1.0, 0, 0, 0.1, 0, 1.2, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 1)
_STEP = 1 / 64
_FACTORS = (4,)  # two quality layers


@dataclass(frozen=True)
class PlanesClip:
    """A clip's bytes, and the clip opened for rendering."""

    data: bytes
    clip: Clip


def planes_clip(
    settings: PlanesSettings = SETTINGS,
    segments: Sequence[int] = (3,),
    *,
    samples: tuple[int, int] = (16, 12),
    grid: int = 0,
    scale: float = 1.0,
) -> PlanesClip:
    """A clip of random fields; ``grid``: cells a side of its occupancy grids, ``scale`` of its symbols."""
    header = _header(settings, segments, samples)
    chunks = [chunk for number in range(len(segments)) for chunk in _segment(header, number, grid, scale)]
    data = clip_bytes(header, chunks)
    return PlanesClip(data, Clip(Reader(BytesSource(data))))


def planes_parts(
    segments: Sequence[int], group: int, settings: PlanesSettings = SETTINGS
) -> tuple[Header, list[Chunk]]:
    """Header and chunks of a clip of random fields, with ``group`` frames in each chunk of latents."""
    header = _header(settings, segments, (8, 6))
    chunks: list[Chunk] = []
    for number in range(len(segments)):
        for chunk in _segment(header, number, 0, 1.0):
            chunks += _in_groups(chunk, group) if chunk.kind == b"LATN" else [chunk]
    return header, chunks


def _in_groups(chunk: Chunk, group: int) -> list[Chunk]:
    latents = unpack_latents(chunk.payload, chunk.count)
    return [
        latents_chunk(
            chunk.segment,
            chunk.first + first,
            QuantisedTensor(latents.name, latents.symbols[first : first + group], latents.steps),
        )
        for first in range(0, chunk.count, group)
    ]


def _header(settings: PlanesSettings, segments: Sequence[int], samples: tuple[int, int]) -> Header:
    return small_header(
        segments,
        cameras=(camera("front", camera_to_world=tuple(map(float, _POSE))),),
        space=SpaceRecord(kind="box", matrix=tuple(map(float, _MATRIX)), near=0.1),
        field=FieldRecord(kind="planes", settings=settings_record(settings)),
        sampling={"coarse": samples[0], "fine": samples[1], "union": False},
    )


def _segment(header: Header, number: int, grid: int, scale: float) -> list[Chunk]:
    generator = torch.Generator().manual_seed(number)
    tensors = random_tensors(header.field.settings, generator, scale)
    factors = {
        tensor.name: _FACTORS for tensor in tensors if tensor.name.split(".")[1] in ("static", "basis")
    }
    base, *finer = weights_chunks(number, tensors, factors)
    record = header.segments[number]
    size = header.field.settings["latent"]
    assert isinstance(size, int)
    latents = torch.randn(record.frames, size, generator=generator)
    chunks = [base, latents_chunk(number, record.first_frame, quantise("latents", latents.numpy(), 1 / 32))]
    if grid:
        model = load_model("planes", header.field.settings, {tensor.name: tensor for tensor in tensors})
        occupancy = find_occupancy(model, latents, 1 + len(finer), grid)
        assert occupancy is not None
        chunks.append(occupancy_chunk(number, occupancy))
    return [*chunks, *finer]


def random_tensors(
    settings: Mapping[str, Any], generator: torch.Generator, scale: float = 1.0
) -> list[QuantisedTensor]:
    """Quantised weights of a field with dense and empty regions; planes have one step an index of axis 0."""
    model = build_model("planes", settings)
    tensors = []
    for name, parameter in model.named_parameters():
        if parameter.numel() == 0:
            continue
        kind = name.split(".")[1]
        if kind in ("static", "basis"):
            values = _smooth(parameter.shape, generator) * (0.4 if kind == "static" else 0.2)
            steps = _STEP / scale * np.linspace(1, 1.3, len(values))
            tensors.append(quantise(name, values.numpy(), steps))
            continue
        values = torch.randn(parameter.shape, generator=generator) * _spread(name, parameter)
        if name.endswith("out.bias"):
            values[0] -= 3  # more empty space than walls
        if name.endswith("out.weight"):
            values[0] *= 4
        tensors.append(quantise(name, values.numpy(), 1 / 256))
    return tensors


def _spread(name: str, parameter: torch.Tensor) -> float:
    """Deviation of a network's weights; outputs range widely, so that there is empty and opaque space."""
    if name.endswith("bias"):
        return 0.3
    gain = {"out": 1.6, "mix": 1.0, "hidden": 1.0, "hidden_latent": 0.3}.get(name.split(".")[1], 1.0)
    return gain / float(np.sqrt(parameter.shape[-1]))


def _smooth(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Smooth noise (..., row, column)."""
    flat = torch.randn(int(np.prod(shape[:-2])), 1, 6, 6, generator=generator)
    return F.interpolate(flat, size=tuple(shape[-2:]), mode="bicubic").reshape(*shape)


def preset_clip(settings: PlanesSettings, **options: Any) -> PlanesClip:
    """A clip of a preset's sizes: all networks and scales, with planes of few texels."""
    small = tuple(8 + 2 * index for index in range(len(settings.scales)))
    return planes_clip(replace(settings, scales=small, coarse_scale=8), **options)
