"""Measures bytes and PSNR of a network of the paper's size for several quantisation steps.

    dynerf encode CAPTURE -o exact.dnv --preset paper --set rate.weight=0 \
        --set quantisation.network=0.0005 --set quantisation.latents=0.0005
    python benchmarks/mlp_rounding.py exact.dnv CAPTURE --network 0.1,0.2 --coarse 1,2,4 --latents 0.05

The clip is trained without quantisation and stored with steps so fine that it counts as exact. Each row
quantises its weights and latents again, with the encoder's rules. Bytes are those of the whole file, ``fine``
and ``coarse`` those of one network's tensors, latents per frame. PSNR is over the same rays of all training
views and frames in every row.
"""

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import zstandard
from torch import Tensor

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.build import load_weights
from dynerf_decoder.fields.field import Model
from dynerf_decoder.render.reference import render_rays
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.evaluation.metrics import psnr
from dynerf_encoder.export.tensors import dequantised_latents, make_chunks, quantise_clip
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rays.cpu_source import RaySource, TrainingRays
from dynerf_format import FileSource, QuantisedTensor, Reader, clip_bytes, pack_tensors
from dynerf_format.frame_range import FrameRange


def main() -> None:
    """Quantise with all combinations of steps and print a table."""
    options = _options()
    with FileSource(options.clip) as source:
        clip = Clip(Reader(source))
        model = clip.model(0)
        latents = torch.as_tensor(clip.reader.latents(0, clip.frames).copy())
    exact = {name: value.detach().numpy().copy() for name, value in model.named_parameters()}
    rays = _rays(clip, options.capture, options.rays)
    before = _psnr(clip, model, latents, rays)
    raw = 4 * (sum(array.size for array in exact.values()) + latents.numel())
    print(f"{raw:,} bytes as float32, {before:.3f} dB\n")
    print("| network | coarse | latents | bytes | fine | coarse | latents, per frame | PSNR | loss |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for network, coarse, step in itertools.product(options.network, options.coarse, options.latents):
        steps = Quantisation(
            planes=1.0, network=network, latents=step, coarse=coarse, coarse_basis=1.0, group=0, grid=0
        )
        load_weights(model, exact)
        weights, groups = quantise_clip(model, latents, steps, clip.fps)
        size = len(clip_bytes(clip.header, make_chunks(weights, groups)))
        parts = [_size([t for t in weights if t.name.startswith(prefix)]) for prefix in ("fine.", "coarse.")]
        load_weights(model, {tensor.name: tensor.dequantise() for tensor in weights})
        after = _psnr(clip, model, dequantised_latents(groups), rays)
        per_frame = sum(_size([group]) for _, group in groups) / clip.frames
        print(
            f"| {network:g} | {coarse:g} | {step:g} | {size:,} | {parts[0]:,} | {parts[1]:,} "
            f"| {per_frame:.1f} | {after:.3f} dB | {before - after:.3f} dB |",
            flush=True,
        )


def _options() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clip", type=Path)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--network", type=_numbers, default="0.1,0.2,0.3", help="shares of each tensor's RMS")
    parser.add_argument(
        "--coarse", type=_numbers, default="1,2,4", help="factors of the coarse network's steps"
    )
    parser.add_argument("--latents", type=_numbers, default="0.05", help="shares of the latents' RMS")
    parser.add_argument("--rays", type=int, default=3000)
    return parser.parse_args()


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _rays(clip: Clip, capture: Path, count: int) -> TrainingRays:
    """A fixed set of rays, spread evenly over all frames and training views."""
    first, header = clip.header.first_source_frame, clip.header
    training = [record.name for record in header.cameras if record.role == "training"]
    downscale = header.config["job"]["downscale"]
    with tempfile.TemporaryDirectory() as folder:
        store = FrameStore.build(
            read_n3v(capture, frames := FrameRange(first, first + clip.frames)),
            Path(folder),
            frames=frames,
            downscale=downscale,
        )
        source = RaySource(store, tuple(store.names.index(name) for name in training))
        return source.draw(np.random.default_rng(0), range(clip.frames), clip.frames, count, None, 0.0)


@torch.no_grad()
def _psnr(clip: Clip, model: Model, latents: Tensor, rays: TrainingRays) -> float:
    """PSNR over all rays by the reference renderer, a few frames at a time."""
    rendered = torch.empty_like(rays.colours)
    frames = torch.as_tensor(rays.frames)
    for start in range(0, len(frames), 4):
        part = slice(start, start + 4)
        directions = rays.directions[part]
        segments = clip.space.clip(rays.origins[part], directions)
        folded = model.fold(latents[frames[part]])
        rendered[part] = render_rays(folded, segments, directions, clip.sampling).rgb
    return psnr(rendered.clamp(0, 1), rays.colours)


def _size(tensors: Sequence[QuantisedTensor]) -> int:
    """Bytes of some tensors as the payload of a chunk."""
    payload = pack_tensors(tensors)
    return min(len(payload), len(zstandard.ZstdCompressor(level=19).compress(payload)))


if __name__ == "__main__":
    main()
