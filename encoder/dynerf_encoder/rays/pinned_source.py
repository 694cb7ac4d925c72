"""Draws training rays on the CPU and copies them to the GPU while it computes the previous step.

Pictures that do not fit into a GPU's memory stay in files, and the CPU draws from them. It writes the rays
into pinned (page-locked) memory, from where a separate stream copies them during the previous step. The
memory is double-buffered: one buffer is filled while the other is copied.

On a CPU the same code copies from memory to memory, which is how it is tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.map import ImportanceMap

from .cpu_source import RaySource, TrainingRays


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """CPU values on a device, copied asynchronously."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values


@dataclass(frozen=True, eq=False)
class PinnedRays(TrainingRays):
    """Rays whose copy may still be in progress."""

    block: Float32[Tensor, "3 frame ray 3"]
    copied: "torch.cuda.Event | None"

    def wait(self) -> TrainingRays:
        if self.copied is not None:
            stream = torch.cuda.current_stream(self.block.device)
            stream.wait_event(self.copied)
            self.block.record_stream(stream)  # else its memory could be reused while this stream reads it
        return self


class PinnedRaySource(RaySource):
    """``RaySource`` for training on another device; draws in one thread at a time."""

    prefetch = True

    def __init__(self, store: FrameStore, views: tuple[int, ...], device: torch.device | str) -> None:
        super().__init__(store, views)
        self._target = torch.device(device)
        self._stream: torch.cuda.Stream | None = None
        if self._target.type == "cuda":
            self._stream = torch.cuda.Stream(self._target)  # type: ignore[no-untyped-call]
            self._target = self._stream.device  # with its index: the current GPU differs between threads
        self._buffers = [_PinnedBuffer(), _PinnedBuffer()]

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
        buffer = self._buffers[0]
        self._buffers.reverse()
        pinned = buffer.fill([drawn.origins, drawn.directions, drawn.colours], pin=self._stream is not None)
        block = self._copy(pinned)
        copied = buffer.copied = None if self._stream is None else self._stream.record_event()
        origins, directions, colours = block.unbind()
        return PinnedRays(drawn.frames, origins, directions, colours, block, copied)

    def _copy(self, pinned: Tensor) -> Tensor:
        with torch.cuda.stream(self._stream):  # without effect when it is None
            block = torch.empty_like(pinned, device=self._target, pin_memory=False)
            return block.copy_(pinned, non_blocking=True)


class _PinnedBuffer:
    """Memory for one step's rays; it may be filled again after the event ``copied``."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None
        self.copied: torch.cuda.Event | None = None

    def fill(self, parts: Sequence[Tensor], *, pin: bool) -> Tensor:
        shape = (len(parts), *parts[0].shape)
        if self.copied is not None:
            self.copied.synchronize()
        if self._memory is None or self._memory.shape != shape:
            self._memory = torch.empty(shape, dtype=parts[0].dtype, pin_memory=pin)
        return torch.stack(list(parts), out=self._memory)
