"""Draws training rays on the GPU, from pictures in its memory.

Rays that a CPU reads from files would keep a GPU waiting. When the training views' pictures fit into the
GPU's memory they are copied there once, and so are the importance weights of a stage. In a step the CPU
supplies only the random numbers, from the same generator and in the same order as ``RaySource``, so the rays
are the same.

Nothing here is specific to CUDA: the tests run this code on a CPU.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from dynerf_decoder.cameras.camera import unproject_tensors
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.map import ImportanceMap

from .cpu_source import RaySource, TrainingRays, pick_frames, rays_per_frame
from .pinned_source import PinnedRaySource, to_device

_BLOCK = 64  # pixels; a row is searched block by block, then pixel by pixel
_MEMORY_SHARE = 0.6  # of the free memory; the rest is for the model, Adam and the steps
_CHUNK = 2**28  # bytes read at once


def ray_source(
    store: FrameStore, views: tuple[int, ...], device: torch.device, report: Callable[[str], None]
) -> RaySource:
    """The ray source for training on ``device``: from its memory when the pictures fit, else from files."""
    if device.type != "cuda":
        return RaySource(store, views, device)
    needed, free = bytes_needed(store, views), torch.cuda.mem_get_info(device)[0]
    if needed > _MEMORY_SHARE * free:
        report(
            f"pictures are read from disk: {needed / 1e9:.1f} GB are more than {_MEMORY_SHARE:.0%} of the "
            f"GPU's free {free / 1e9:.1f} GB"
        )
        return PinnedRaySource(store, views, device)
    report(f"pictures and their weights are copied to the GPU's memory: {needed / 1e9:.1f} GB")
    return GpuRaySource(store, views, device)


def bytes_needed(store: FrameStore, views: tuple[int, ...]) -> int:
    """Size of the training views' pictures and of one importance weight for each of their pixels."""
    return len(views) * store.frames * store.height * store.width * 4


class _Cameras(NamedTuple):
    """What rays depend on of the views' cameras, on the device: (view, ...)."""

    intrinsics: Tensor
    rotations: Tensor
    origins: Tensor


class GpuRaySource(RaySource):
    """``RaySource`` with pictures, weights and arithmetic on the device."""

    def __init__(self, store: FrameStore, views: tuple[int, ...], device: torch.device | str) -> None:
        super().__init__(store, views, device)
        self._pictures = _uploaded(store, views, self._device)
        chosen = list(views)
        cameras = (self._intrinsics[chosen], self._rotations[chosen], self._origins[chosen])
        self._cameras = _Cameras(*(torch.as_tensor(each, device=self._device) for each in cameras))
        self._map: GpuImportanceMap | None = None  # the current stage's

    def draw(
        self,
        rng: np.random.Generator,
        frames: Sequence[int] | Int64[np.ndarray, " candidate"],
        frames_per_step: int,
        rays: int,
        importance: ImportanceMap | None,
        share: float,
    ) -> TrainingRays:
        """As ``RaySource.draw``: the same state of ``rng`` gives the same rays."""
        per_frame = rays_per_frame(rays, frames_per_step, share)
        self._check_map(importance)
        chosen = pick_frames(rng, np.asarray(frames, np.int64), frames_per_step)
        weighted = 0 if importance is None else round(share * per_frame)
        pixels = self._store.height * self._store.width
        uniform = [self._uniform_numbers(rng, per_frame - weighted) for _ in chosen]
        drawn = self._to_device(np.stack(uniform))
        if importance is not None:
            uniforms = self._to_device(np.stack([rng.random(weighted) for _ in chosen]))
            drawn = torch.cat([self._device_map(importance).draw(chosen, uniforms), drawn], dim=1)
        numbers = self._to_device(chosen)
        if chosen.min() < 0 or chosen.max() >= self._store.frames:
            raise IndexError(f"frames {chosen.min()} to {chosen.max()}, of {self._store.frames}")
        position = torch.div(drawn, pixels, rounding_mode="floor")
        pixel = drawn - position * pixels
        colours = self._pictures[position, numbers.unsqueeze(1), pixel].float() / 255
        directions = self._directions_at(position, pixel)
        return TrainingRays(chosen, self._cameras.origins[position], directions, colours)

    def _directions_at(
        self, position: Int64[Tensor, "frame ray"], pixel: Int64[Tensor, "frame ray"]
    ) -> Tensor:
        """Directions of the rays through pixel centres, as ``RaySource`` computes them."""
        row = torch.div(pixel, self._store.width, rounding_mode="floor")
        column = pixel - row * self._store.width
        local = unproject_tensors(column + 0.5, row + 0.5, *self._cameras.intrinsics[position].unbind(dim=-1))
        rotated: Tensor = (self._cameras.rotations[position] @ local.unsqueeze(-1)).squeeze(-1)
        return rotated.float()

    def _device_map(self, importance: ImportanceMap) -> "GpuImportanceMap":
        """The map on the device; only the current stage's is kept."""
        if self._map is None or self._map.source is not importance:
            self._map = None  # frees its memory before the next one is allocated
            self._map = GpuImportanceMap(importance, self.views, self._device)
        return self._map

    def _to_device(self, values: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(values), self._device)


class GpuImportanceMap:
    """``ImportanceMap`` on a device; it draws numbers of rank in ``views`` * pixels + pixel."""

    def __init__(self, importance: ImportanceMap, views: tuple[int, ...], device: torch.device) -> None:
        self.source = importance
        count, rows, width = importance.weights(importance.frames[0]).shape
        self._rows, self._width = int(rows), int(width)
        self._frames = importance.frames
        blocks = -(-self._width // _BLOCK)
        shape = (len(self._frames), count * self._rows, blocks * _BLOCK)
        weights = torch.zeros(shape, dtype=torch.uint8, device=device)
        for slot, frame in enumerate(self._frames):
            lines = np.array(importance.weights(frame)).reshape(count * self._rows, self._width)
            weights[slot, :, : self._width] = torch.from_numpy(lines)
        self._weights = weights.view(len(self._frames), -1, blocks, _BLOCK)
        self._line_ends = self._weights.sum(dim=(-2, -1), dtype=torch.int64).cumsum(dim=1)
        self._covered: Tensor | None = None  # numbers of the pixels with a source, if they are ever needed
        if importance.covered is not None and bool((self._line_ends[:, -1] == 0).any()):
            self._covered = torch.from_numpy(importance.covered_numbers).to(device)
        ranks = {view: rank for rank, view in enumerate(views)}
        self._ranks = torch.tensor([ranks[view] for view in importance.views], device=device)

    def draw(
        self, frames: Int64[np.ndarray, " frame"], uniforms: Float64[Tensor, "frame n"]
    ) -> Int64[Tensor, "frame n"]:
        """As ``ImportanceMap.draw``, for several frames at once. IndexError for a frame without weights."""
        slots = np.searchsorted(self._frames, frames)
        found = self._frames[np.minimum(slots, len(self._frames) - 1)] == frames
        if not found.all():
            missing = frames[~found][0]
            raise IndexError(f"frame {missing} has no weights, {len(self._frames)} other frames have")
        slot = to_device(torch.from_numpy(slots), uniforms.device).unsqueeze(1)
        ends = self._line_ends[slot.squeeze(1)]
        total = ends[:, -1:]
        units = (uniforms * total).long()
        count = ends.shape[1] * self._width if self._covered is None else len(self._covered)
        uniform = (uniforms * count).long()  # for a frame whose weights are all 0
        if self._covered is not None:
            uniform = self._covered[uniform]
        uniform_line = torch.div(uniform, self._width, rounding_mode="floor")
        line = torch.searchsorted(ends, units, right=True).clamp_max(ends.shape[1] - 1)
        line = torch.where(total > 0, line, uniform_line)
        before = torch.where(line > 0, ends.gather(1, (line - 1).clamp_min(0)), 0)
        column = self._owner(self._weights[slot, line], units - before)
        column = torch.where(total > 0, column, uniform - uniform_line * self._width)
        view = torch.div(line, self._rows, rounding_mode="floor")
        pixel: Tensor = (line - view * self._rows) * self._width + column
        pixel += self._ranks[view] * (self._rows * self._width)
        return pixel

    def _owner(
        self, rows: UInt8[Tensor, "frame n block pixel"], units: Int64[Tensor, "frame n"]
    ) -> Int64[Tensor, "frame n"]:
        """The column of each row that owns the unit of the row's weight."""
        ends = rows.sum(dim=-1, dtype=torch.int64).cumsum(dim=-1)
        block = (ends[..., :-1] <= units.unsqueeze(-1)).sum(dim=-1)
        start = torch.where(block > 0, ends.gather(-1, (block - 1).clamp_min(0).unsqueeze(-1)).squeeze(-1), 0)
        index = block[..., None, None].expand(*block.shape, 1, _BLOCK)
        inner = rows.gather(-2, index).squeeze(-2).cumsum(dim=-1, dtype=torch.int64)
        inside = (inner[..., :-1] <= (units - start).unsqueeze(-1)).sum(dim=-1)
        column: Tensor = (block * _BLOCK + inside).clamp_max(self._width - 1)
        return column


def _uploaded(
    store: FrameStore, views: tuple[int, ...], device: torch.device
) -> UInt8[Tensor, "view frame pixel 3"]:
    """The training views' pictures on the device, copied in parts of bounded size."""
    pixels = store.height * store.width
    pictures = torch.empty(len(views), store.frames, pixels, 3, dtype=torch.uint8, device=device)
    part = max(1, _CHUNK // (3 * pixels))
    for position, view in enumerate(views):
        for start in range(0, store.frames, part):
            chunk = np.array(store.view(view)[start : start + part]).reshape(-1, pixels, 3)
            pictures[position, start : start + len(chunk)] = torch.from_numpy(chunk)
    return pictures
