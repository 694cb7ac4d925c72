"""Compares the coarse network of the ``mlp`` field with other sample placements.

    python benchmarks/coarse_or_grid.py CLIP.dnv CAPTURE

The clip's held-out views are decoded in several ways, all in full precision and without early termination:

- **coarse network**: as the file defines it; the coarse network gives the histogram along a ray.
- **fine network instead**: the fine network gives the histogram.
- **even, in ... cells**: no histogram; samples are spread evenly over the occupied cells of a grid of the
  fine field, 1, 1.5 and 2 times as many as the fine network evaluates. The grid is the one that the encoder
  writes (``safe``), or the cells that hold at least ``--visible`` of any training view's ray, without their
  neighbours (``visible``), the tightest grid possible. Bytes are those of the whole file with or without the
  coarse network, and with the grid if one is needed. ``queries`` counts network evaluations per ray.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.mlp import FoldedMlpModel, MlpModel
from dynerf_decoder.render.reference import render_rays
from dynerf_decoder.render.volume_rendering import accumulate, ray_weights
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.occupancy_grid import occupied_at
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.evaluation.metrics import psnr
from dynerf_encoder.export.occupancy_grid import find_occupancy
from dynerf_encoder.export.tensors import layer_factors
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_format import (
    CellGrid,
    Chunk,
    FileSource,
    Occupancy,
    Reader,
    clip_bytes,
    occupancy_chunk,
    weights_chunks,
)
from dynerf_format.frame_range import FrameRange

_RAYS = 2048  # per call
_STEPS = 512  # along a ray, to find the cells it crosses
_CELLS = 32  # per side of the grid of visible cells

Renderer = Callable[[FoldedMlpModel, RayIntervals, Tensor], Tensor]
"""Maps a folded frame, ray intervals and directions to colours (1, ray, 3)."""


@dataclass(frozen=True)
class Row:
    """One sample placement."""

    name: str
    render: Renderer
    queries: int
    coarse: bool
    grid: CellGrid | None


def main() -> None:
    """Decode in every way and print a table."""
    options = _options()
    with FileSource(options.clip) as source:
        clip = Clip(Reader(source))
        model = clip.model(0)
        if not isinstance(model, MlpModel) or len(clip.header.segments) > 1:
            raise SystemExit(f"{options.clip}: expected one segment of the mlp field")
        print("| samples | queries per ray | file | held-out PSNR |\n|---|--:|--:|--:|")
        for row in _rows(clip, model, options.visible):
            score = _held_out_psnr(clip, options.capture, options.every, row.render)
            size = _file_bytes(clip, row.coarse, row.grid)
            print(f"| {row.name} | {row.queries} | {size:,} | {score:.2f} dB |", flush=True)


def _options() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clip", type=Path)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--every", type=int, default=1, help="compare every N-th frame")
    parser.add_argument(
        "--visible", type=float, default=0.02, help="share of a ray that makes a cell visible"
    )
    return parser.parse_args()


def _rows(clip: Clip, model: MlpModel, visible: float) -> Iterator[Row]:
    sampling = clip.sampling
    fine = sampling.fine + sampling.coarse * sampling.union
    yield Row("coarse network", _hierarchical(clip), sampling.coarse + fine, True, None)
    yield Row("fine network instead", _hierarchical(clip, own=True), sampling.coarse + fine, False, None)
    latents = torch.as_tensor(clip.reader.latents(0, clip.frames).copy())
    found = find_occupancy(model, latents, clip.reader.layers(0), 32)
    grids = {"safe": None if found is None else found.fine, "visible": _visible_cells(clip, visible)}
    for (name, grid), times in product(grids.items(), (1.0, 1.5, 2.0)):
        if grid is None:
            print(f"(no {name} cell is empty)")
            continue
        count, share = round(times * fine), 100 * (1 - grid.cells().mean())
        text = f"even, in {name} cells ({share:.0f} % are empty)"
        yield Row(text, _evenly(grid, count), count, False, grid)


def _hierarchical(clip: Clip, own: bool = False) -> Renderer:
    def render(folded: FoldedMlpModel, segments: RayIntervals, directions: Tensor) -> Tensor:
        model = replace(folded, coarse=folded.fine) if own else folded
        return render_rays(model, segments, directions, clip.sampling).rgb

    return render


def _evenly(grid: CellGrid, count: int) -> Renderer:
    """``count`` samples at the middles of equal parts of the ray's length in occupied cells."""

    def render(folded: FoldedMlpModel, segments: RayIntervals, directions: Tensor) -> Tensor:
        middles = ((torch.arange(_STEPS) + 0.5) / _STEPS).expand(*directions.shape[:-1], _STEPS)
        crossed = occupied_at(grid, segments.at(middles))
        crossed[..., -1] = True  # the end of the bounds is opaque
        positions, share = _spread(crossed, count)
        lengths = (share * segments.length()).unsqueeze(-1).expand_as(positions)
        density, colours = folded.fine.query(segments.at(positions), directions)
        return accumulate(ray_weights(density, lengths), colours) * segments.hit.unsqueeze(-1)

    return render


def _spread(
    crossed: Bool[Tensor, "*ray step"], count: int
) -> tuple[Float[Tensor, "*ray count"], Float[Tensor, "*ray"]]:
    """Positions spread evenly over the marked steps of [0, 1], and the length that each represents."""
    marked = crossed.float().cumsum(dim=-1)
    share = marked[..., -1] / count
    targets = (torch.arange(count) + 0.5) * share.unsqueeze(-1)
    step = torch.searchsorted(marked, targets).clamp_max(crossed.shape[-1] - 1)
    inside = targets - (marked.gather(-1, step) - 1)
    return (step + inside) / crossed.shape[-1], share / crossed.shape[-1]


@torch.no_grad()
def _visible_cells(clip: Clip, least: float) -> CellGrid:
    """Cells with at least this weight in any ray of the training views, for every third frame."""
    cells = np.zeros(_CELLS**3, bool)
    training = [
        camera
        for camera, record in zip(clip.cameras, clip.header.cameras, strict=True)
        if record.role == "training"
    ]
    for frame, camera in product(range(0, clip.frames, 3), training):
        for folded, segments, directions in _rays(clip, camera, frame):
            rendered = render_rays(folded, segments, directions, clip.sampling)
            points = segments.at((rendered.edges[..., 1:] + rendered.edges[..., :-1]) / 2)
            visible = points[(rendered.weights >= least) & segments.hit.unsqueeze(-1)]
            x, y, z = ((visible + 1) * (_CELLS / 2)).clamp(0, _CELLS - 1).long().unbind(-1)
            cells[((z * _CELLS + y) * _CELLS + x).numpy()] = True
    return CellGrid.of_cells(cells.reshape(_CELLS, _CELLS, _CELLS))


def _rays(
    clip: Clip, camera: Camera, frame: int
) -> Iterator[tuple[FoldedMlpModel, RayIntervals, Float[Tensor, "1 ray 3"]]]:
    """A folded frame with batches of a view's rays."""
    folded = clip.fold(float(frame))
    assert isinstance(folded, FoldedMlpModel)
    pixels = camera.width * camera.height
    for start in range(0, pixels, _RAYS):
        batch = slice(start, min(start + _RAYS, pixels))
        origins, directions = (part.unsqueeze(0) for part in camera_rays(camera, clip.device, batch))
        yield folded, clip.space.clip(origins, directions), directions


@torch.no_grad()
def _held_out_psnr(clip: Clip, capture: Path, every: int, render: Renderer) -> float:
    """Mean PSNR over the frames of the held-out views, in dB."""
    names = [record.name for record in clip.header.cameras if record.role != "training"]
    first = clip.header.first_source_frame
    frames = FrameRange(first, first + clip.frames)
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        recording = read_n3v(capture, frames).only(names)
        downscale = clip.header.config["job"]["downscale"]
        store = FrameStore.build(recording, Path(folder), frames=frames, downscale=downscale)
        for name, frame in product(names, range(0, clip.frames, every)):
            view = store.names.index(name)
            parts = [render(*rays)[0] for rays in _rays(clip, store.cameras[view], frame)]
            truth = torch.as_tensor(store.view(view)[frame].copy()).float() / 255
            scores.append(psnr(torch.cat(parts).clamp(0, 1).view_as(truth), truth))
    return sum(scores) / len(scores)


def _file_bytes(clip: Clip, coarse: bool, grid: CellGrid | None) -> int:
    """Size of the clip's file with or without the coarse network and a grid."""
    reader = clip.reader
    kept = [t for t in reader.weights(0).values() if coarse or not t.name.startswith("coarse.")]
    base, *finer = weights_chunks(0, kept, layer_factors(kept))
    latents = [
        Chunk(entry.kind, 0, 0, entry.first, entry.count, reader.read_chunk(entry))
        for entry in reader.directory
        if entry.kind == b"LATN"
    ]
    grids = [] if grid is None else [occupancy_chunk(0, Occupancy(1 + len(finer), None, grid))]
    return len(clip_bytes(clip.header, [base, *latents, *finer, *grids]))


if __name__ == "__main__":
    main()
