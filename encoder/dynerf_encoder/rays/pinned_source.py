"""Rays on their way from main memory to the GPU that trains on them, while it works on those before.

Pictures that do not fit into a GPU's memory stay in files, and the CPU draws from them. What it has drawn it
puts into memory that the system does not move, from where a stream of its own copies it while the step before
computes. Two such places take turns: one is filled while the other one is copied.

On a CPU the same lines copy from one place to another, which is how they are tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.map import ImportanceMap

from .cpu_source import Rays, RaySource


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Numbers of the CPU's on a device, without waiting for what it is doing."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values


@dataclass(frozen=True, eq=False)
class PinnedRays(Rays):
    """Rays whose copy may be under way."""

    block: Float32[Tensor, "3 frame ray 3"]
    copied: "torch.cuda.Event | None"

    def arrived(self) -> Rays:
        if self.copied is not None:
            here = torch.cuda.current_stream(self.block.device)
            here.wait_event(self.copied)
            self.block.record_stream(here)  # its memory must not be given to the next rays before
        return self


class PinnedRaySource(RaySource):
    """``RaySource`` for a training on another device; draws in one thread at a time."""

    prefetch = True

    def __init__(self, store: FrameStore, views: tuple[int, ...], device: torch.device | str) -> None:
        super().__init__(store, views)
        self._there = torch.device(device)
        self._stream: torch.cuda.Stream | None = None
        if self._there.type == "cuda":
            self._stream = torch.cuda.Stream(self._there)  # type: ignore[no-untyped-call]
            self._there = self._stream.device  # with its number: a thread may think of another GPU
        self._places = [_Place(), _Place()]

    def draw(
        self,
        rng: np.random.Generator,
        frames: Sequence[int] | Int64[np.ndarray, " candidate"],
        frames_per_step: int,
        rays: int,
        importance: ImportanceMap | None,
        share: float,
    ) -> PinnedRays:
        """As ``RaySource.draw``: the same rays."""
        drawn = super().draw(rng, frames, frames_per_step, rays, importance, share)
        place = self._places[0]
        self._places.reverse()
        here = place.filled([drawn.origins, drawn.directions, drawn.colours], pin=self._stream is not None)
        there = self._copied(here)
        copied = place.copied = None if self._stream is None else self._stream.record_event()
        origins, directions, colours = there.unbind()
        return PinnedRays(drawn.frames, origins, directions, colours, there, copied)

    def _copied(self, here: Tensor) -> Tensor:
        with torch.cuda.stream(self._stream):  # without effect where there is none
            return torch.empty_like(here, device=self._there, pin_memory=False).copy_(here, non_blocking=True)


class _Place:
    """Memory for one step's rays; ``copied`` tells when it may be filled again."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None
        self.copied: torch.cuda.Event | None = None

    def filled(self, parts: Sequence[Tensor], *, pin: bool) -> Tensor:
        shape = (len(parts), *parts[0].shape)
        if self.copied is not None:
            self.copied.synchronize()
        if self._memory is None or self._memory.shape != shape:
            self._memory = torch.empty(shape, dtype=parts[0].dtype, pin_memory=pin)
        return torch.stack(list(parts), out=self._memory)
