"""From a trained model to the parts of a ``.dnv`` file: quantised tensors, latent groups and the header."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.viewing_volume import hull_corners
from dynerf_decoder.fields.build import settings_record
from dynerf_decoder.fields.field import Model
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.config.schema import Config, Quantisation
from dynerf_encoder.rate.plane_passes import round_planes
from dynerf_encoder.rate.step_sizes import is_plane, rounding_step
from dynerf_format import (
    BASE,
    COLOUR,
    DIFFERENCES,
    CameraRecord,
    Chunk,
    FieldRecord,
    FileSource,
    Header,
    QuantisedTensor,
    Reader,
    SegmentRecord,
    SpaceRecord,
    __version__,
    ancillary_chunk,
    coarsen,
    continued_chunks,
    latents_chunk,
    layers_between,
    quantise,
    weights_chunks,
)

from .latent_pca import rotate_to_principal_axes

_LAYER_FACTORS = (3, 3)


def quantise_clip(
    model: Model, latents: Float[Tensor, "frame latent"], quantisation: Quantisation, fps: Fraction
) -> tuple[list[QuantisedTensor], list[tuple[int, QuantisedTensor]]]:
    """The quantised weights, and the latents in groups, both in the latents' principal axes."""
    rotated = rotate_to_principal_axes(model, latents, float(rounding_step("latents", latents, quantisation)))
    return (
        quantise_model(model, quantisation, rotated.weights),
        quantise_latents(rotated.latents, quantisation, group_frames(quantisation, fps)),
    )


def group_frames(quantisation: Quantisation, fps: Fraction) -> int:
    """The number of frames whose latents stand in one chunk."""
    return quantisation.group or max(1, round(fps))


def quantise_model(
    model: Model, quantisation: Quantisation, stored: Mapping[str, Tensor] = MappingProxyType({})
) -> list[QuantisedTensor]:
    """All weights on a uniform grid: planes with one absolute step, network tensors relative to their RMS.

    ``stored`` replaces values of the model, but steps are computed from the model. Parameters without
    elements are left out.
    """
    tensors = []
    for name, parameter in model.named_parameters():
        if parameter.numel() > 0:
            step = rounding_step(name, parameter, quantisation)
            values = stored.get(name, parameter).detach()
            if is_plane(name):
                values, _ = round_planes(values, step)
            tensors.append(quantise(name, values.cpu().numpy(), float(step)))
    return tensors


def quantise_latents(
    latents: Float[Tensor, "frame latent"], quantisation: Quantisation, group: int
) -> list[tuple[int, QuantisedTensor]]:
    """Latents in groups of frames, (first frame, tensor), with a step relative to the RMS of all of them."""
    values = latents.detach().cpu().numpy()
    step = float(rounding_step("latents", latents, quantisation))
    return [
        (first, quantise("latents", values[first : first + group], step))
        for first in range(0, len(values), group)
    ]


def dequantised_latents(groups: Sequence[tuple[int, QuantisedTensor]]) -> Float[Tensor, "frame latent"]:
    """The latents as a decoder reads them."""
    return torch.as_tensor(np.concatenate([tensor.dequantise() for _, tensor in groups]))


def make_chunks(
    weights: Sequence[QuantisedTensor],
    latents: Sequence[tuple[int, QuantisedTensor]],
    ancillary: Sequence[Chunk] = (),
) -> list[Chunk]:
    """The chunks of a clip of one segment, in the order of the file.

    The first layer of the weights and the latents come before the finer layers: a reader that reads from the
    front can show the whole clip early and then ever sharper. Ancillary chunks are last.
    """
    return order_chunks(weights_chunks(0, weights, layer_factors(weights)), latents, ancillary)


def order_chunks(
    layers: Sequence[Chunk], latents: Sequence[tuple[int, QuantisedTensor]], ancillary: Sequence[Chunk] = ()
) -> list[Chunk]:
    """As ``make_chunks``, for weights that are packed already."""
    base, *finer = layers
    groups = [latents_chunk(0, first, tensor) for first, tensor in latents]
    return [base, *groups, *finer, *ancillary]


def difference_chunks(levels: Sequence[Mapping[str, QuantisedTensor]], clip: Path) -> list[Chunk]:
    """The layers of weights as differences to a clip's last segment; empty if that saves nothing.

    ``levels`` are the tensors after each layer.
    """
    with FileSource(clip) as source:
        reader = Reader(source)
        previous = reader.layered_weights(len(reader.header.segments) - 1)
    return continued_chunks(0, layers_between(levels), previous, 0)


def as_difference_chunks(layers: Sequence[Chunk], clip: Path) -> list[Chunk]:
    """Chunks that ``join_clips`` uses instead of the weights if the result follows that clip."""
    if not layers:
        return []
    with FileSource(clip) as source:
        digest = Reader(source).digest()
    return [ancillary_chunk(BASE, 0, digest), *(replace(layer, kind=DIFFERENCES) for layer in layers)]


def layer_factors(weights: Sequence[QuantisedTensor]) -> dict[str, tuple[int, ...]]:
    """The factors by which quality layers refine tensors: planes, or a network's matrices if there are none.

    Small tensors that matter everywhere are complete in the first layer. The coarse field's steps are wide
    already, and misplaced samples ruin a picture: its planes are complete one layer earlier, its matrices in
    the first.
    """
    planes = [tensor.name for tensor in weights if is_plane(tensor.name)]
    matrices = [tensor.name for tensor in weights if tensor.symbols.ndim > 1]
    coarse = _LAYER_FACTORS[:1] if planes else ()
    return {name: coarse if name.startswith("coarse.") else _LAYER_FACTORS for name in planes or matrices}


def layered_weights(weights: Sequence[QuantisedTensor]) -> list[dict[str, QuantisedTensor]]:
    """The weights that a decoder has after each layer, coarse first; the last are the given ones."""
    factors = layer_factors(weights)
    layers = [{tensor.name: tensor for tensor in weights}]
    for number, factor in reversed(list(enumerate(_LAYER_FACTORS))):
        refined = {name for name, own in factors.items() if number < len(own)}
        finer = layers[0]
        layers.insert(0, {n: coarsen(t, factor) if n in refined else t for n, t in finer.items()})
    return layers


def make_header(
    config: Config,
    *,
    cameras: Sequence[Camera],
    held_out: Sequence[str],
    space: Space,
    fps: Fraction,
    frames: int,
    first_source_frame: int,
    job: dict[str, Any],
    quality: dict[str, float | int | str],
) -> Header:
    """The header of a clip of one segment; ``job`` is added to the configuration it records."""
    settings = config.planes if config.field == "planes" else config.mlp
    return Header(
        generator=f"dynerf {__version__}",
        fps_numerator=fps.numerator,
        fps_denominator=fps.denominator,
        frames=frames,
        first_source_frame=first_source_frame,
        cameras=tuple(_camera_record(camera, camera.name in held_out) for camera in cameras),
        space=SpaceRecord(space.kind, tuple(float(x) for x in space.matrix.ravel()), space.near),
        field=FieldRecord(config.field, settings_record(settings)),
        sampling=dataclasses.asdict(config.sampling),
        segments=(SegmentRecord(0, frames),),
        colour=dict(COLOUR),
        config={**plain_config(config), "job": job},
        quality=quality,
        viewing_volume=_viewing_volume(cameras, held_out),
    )


def _viewing_volume(cameras: Sequence[Camera], held_out: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Corners of the hull of the training cameras' centres."""
    centres = np.stack([camera.origin for camera in cameras if camera.name not in held_out])
    return tuple(tuple(float(x) for x in corner) for corner in hull_corners(centres))


def plain_config(config: Config) -> dict[str, Any]:
    """The effective configuration as nested plain values, with the settings of the chosen field only."""
    unused = "mlp" if config.field == "planes" else "planes"
    values = dataclasses.asdict(config)
    values.pop(unused)
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _pose(camera: Camera) -> tuple[float, ...]:
    """The 3x4 matrix row by row, the rotation rounded to float32.

    That is a ten-thousandth of a pixel, and the header is a fifth smaller: what a double has beyond a float
    does not compress. Positions can be map coordinates, which need doubles.
    """
    rounded = camera.camera_to_world.astype(np.float64).copy()
    rounded[:, :3] = rounded[:, :3].astype(np.float32)
    return tuple(float(x) for x in rounded.ravel())


def _camera_record(camera: Camera, held_out: bool) -> CameraRecord:
    return CameraRecord(
        name=camera.name,
        width=camera.width,
        height=camera.height,
        focal_x=camera.focal_x,
        focal_y=camera.focal_y,
        centre_x=camera.centre_x,
        centre_y=camera.centre_y,
        camera_to_world=_pose(camera),
        role="held_out" if held_out else "training",
    )
