"""Draws training rays on the CPU: random frames, and in each of them rays of all training views.

DyNeRF, 3.2. Rays of a step stay grouped by frame, because the field is folded once per frame. Origins and
directions are in world units, directions of unit length, colours RGB in 0..1. Only the views passed to
``RaySource`` are read, so held-out views must not be among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from dynerf_decoder.cameras.camera import unproject
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.map import ImportanceMap
from dynerf_format.errors import ConfigError


@dataclass(frozen=True, eq=False)
class TrainingRays:
    """The rays of one training step; ``frames`` are store frame numbers. Nothing requires gradients."""

    frames: Int64[np.ndarray, " frame"]
    origins: Float32[Tensor, "frame ray 3"]
    directions: Float32[Tensor, "frame ray 3"]
    colours: Float32[Tensor, "frame ray 3"]

    def wait(self) -> "TrainingRays":
        """The rays, ready for use by this thread's current stream."""
        return self


class RaySource:
    """Draws rays of some views of a frame store; the tensors it returns are on ``device``.

    ``prefetch`` is whether it pays to draw the rays of the next step in another thread during a step.
    Raises ConfigError when ``views`` is empty or holds views that are repeated or not in the store.
    """

    prefetch = False

    def __init__(self, store: FrameStore, views: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        count = len(store.names)
        if not views or len(set(views)) != len(views) or not set(views) <= set(range(count)):
            raise ConfigError(f"training views {views}: expected one or more, distinct, of 0 to {count - 1}")
        self.views = views
        self._store = store
        self._device = torch.device(device)
        self._view_numbers = np.array(views, np.int64)
        self._covered = store.covered_pixels(views)
        # Held-out cameras stay NaN, so a ray of theirs would show up as NaN.
        self._intrinsics = np.full((count, 4), np.nan)
        self._rotations = np.full((count, 3, 3), np.nan)
        self._origins = np.full((count, 3), np.nan, np.float32)
        for view in views:
            camera = store.cameras[view]
            self._intrinsics[view] = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
            self._rotations[view] = camera.camera_to_world[:, :3]
            self._origins[view] = camera.origin

    def draw(
        self,
        rng: np.random.Generator,
        frames: Sequence[int] | Int64[np.ndarray, " candidate"],
        frames_per_step: int,
        rays: int,
        importance: ImportanceMap | None,
        share: float,
    ) -> TrainingRays:
        """``rays // frames_per_step`` rays in each of ``frames_per_step`` frames.

        Frames are picked from the distinct candidates ``frames`` without repetition; when there are fewer
        candidates than frames, all are picked and some repeat. In each frame round(share * rays) rays are
        drawn by ``importance`` (they come first), the others uniformly over all pixels of all training views;
        without a map all are drawn uniformly. The same state of ``rng`` gives the same rays.

        Raises ConfigError for invalid numbers, ValueError for a map of other views, IndexError for frames
        that the map or the store does not have.
        """
        per_frame = rays_per_frame(rays, frames_per_step, share)
        self._check_map(importance)
        chosen = pick_frames(rng, np.asarray(frames, np.int64), frames_per_step)
        weighted = 0 if importance is None else round(share * per_frame)
        parts = [self._uniform(rng, per_frame - weighted) for _ in chosen]
        if importance is not None:
            by_weight = [importance.draw(frame, rng.random(weighted)) for frame in chosen]
            parts = [part for pair in zip(by_weight, parts, strict=True) for part in pair]
        views = np.concatenate([part[0] for part in parts])
        pixels = np.concatenate([part[1] for part in parts])
        colours = self._store.gather(views, chosen.repeat(per_frame), pixels)
        shape = (frames_per_step, per_frame, 3)
        return TrainingRays(
            chosen,
            self._tensor(self._origins[views], shape),
            self._tensor(self._directions(views, pixels).astype(np.float32), shape),
            self._tensor(colours, shape).float() / 255,
        )

    def _check_map(self, importance: ImportanceMap | None) -> None:
        if importance is not None and set(importance.views) != set(self.views):
            raise ValueError(f"importance map of views {importance.views}, rays of views {self.views}")

    def _uniform(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """Views and pixels, each pixel with a source of each training view equally likely."""
        position, pixel = np.divmod(self._uniform_numbers(rng, count), self._store.height * self._store.width)
        return self._view_numbers[position], pixel

    def _uniform_numbers(self, rng: np.random.Generator, count: int) -> Int64[np.ndarray, " n"]:
        """Numbers position * pixels + pixel; those of pixels without source are drawn again."""
        total = len(self.views) * self._store.height * self._store.width
        drawn = rng.integers(0, total, count)
        while self._covered is not None and len(missed := np.flatnonzero(~self._covered[drawn])):
            drawn[missed] = rng.integers(0, total, len(missed))
        return drawn

    def _directions(
        self, views: Int64[np.ndarray, " n"], pixels: Int64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """As ``pixel_directions`` at pixel centres, but for rays of different cameras."""
        rows, columns = np.divmod(pixels, self._store.width)
        local = unproject(columns + 0.5, rows + 0.5, *self._intrinsics[views].T)
        rotated: np.ndarray = np.einsum("nij,nj->ni", self._rotations[views], local)
        return rotated

    def _tensor(self, array: np.ndarray, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(array).to(self._device).reshape(shape)


def rays_per_frame(rays: int, frames_per_step: int, share: float) -> int:
    """Rays of each frame of a step. Raises ConfigError for invalid numbers."""
    if not 1 <= frames_per_step <= rays:
        raise ConfigError(f"{rays} rays of {frames_per_step} frames: expected at least one of each frame")
    if not 0 <= share <= 1:
        raise ConfigError(f"share {share} of rays drawn by weight: expected 0 to 1")
    return rays // frames_per_step


def pick_frames(
    rng: np.random.Generator, candidates: Int64[np.ndarray, " candidate"], count: int
) -> Int64[np.ndarray, " frame"]:
    """Frames of a step, without repetition if there are enough. Raises ConfigError when there are none."""
    if not len(candidates):
        raise ConfigError("no frames to draw rays from")
    once = rng.permutation(candidates)[:count]
    return np.concatenate([once, rng.choice(candidates, count - len(once))])
