"""Renders pictures in two threads, and limits the number of sessions that use them.

Torch spreads one render over all cores, so more threads would contend for them. One thread renders the
pictures of moving views, the other those that may take longer (full pictures, movies, posters). Each
renders one picture at a time, in order of arrival, so a viewer waits for at most one picture of each other
viewer.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.render.depth_colours import depth_image
from dynerf_player.library.interface import ClipVersion


@dataclass(frozen=True)
class RenderRequest:
    """What to render: ``frame`` in frames; ``interactive`` for a moving view; ``layers`` 0 for all."""

    camera: Camera
    frame: float
    depth: bool = False
    interactive: bool = False
    layers: int = 0


@dataclass(frozen=True)
class RenderedFrame:
    """A rendered picture and the seconds it took, without waiting."""

    pixels: UInt8[np.ndarray, "height width 3"]
    seconds: float


@dataclass
class SessionLimit:
    """Counts sessions up to a limit; all movies together count as one."""

    limit: int
    taken: int = 0

    def try_acquire(self) -> bool:
        """Begin a session; False when the limit is reached."""
        if self.taken >= self.limit:
            return False
        self.taken += 1
        return True

    def release(self) -> None:
        """End a session."""
        self.taken -= 1


@dataclass
class RenderPool:
    """Renders for all viewers; ``close`` it at the end."""

    sessions: SessionLimit
    _interactive: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "render-interactive")
    )
    _background: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "render-background")
    )
    _closed: threading.Event = field(default_factory=threading.Event)

    async def render(
        self, version: ClipVersion, request: RenderRequest, stale: Callable[[], bool] | None = None
    ) -> RenderedFrame:
        """Render a picture. Raises StoppedError when ``stale`` returned True before a tile.

        Cancelling the caller stops the render too.
        """
        cancelled = threading.Event()

        def stop() -> bool:
            return cancelled.is_set() or self._closed.is_set() or (stale is not None and stale())

        thread = self._interactive if request.interactive else self._background
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, _render, version, request, stop)
        finally:
            cancelled.set()

    def close(self) -> None:
        """Stop all renders and wait for the threads to end."""
        self._closed.set()
        for thread in (self._interactive, self._background):
            thread.shutdown(cancel_futures=True)


def _render(version: ClipVersion, request: RenderRequest, stop: Callable[[], bool]) -> RenderedFrame:
    clip = version.clip if request.layers == 0 else version.clip.with_layers(request.layers)
    clip.fold(request.frame)  # may fetch and load the model, which is not rendering time
    start = time.perf_counter()
    picture = clip.render(request.camera, frame=request.frame, stop=stop)
    pixels = depth_image(picture.depth, *clip.depth_range()) if request.depth else picture.numpy()
    return RenderedFrame(pixels, time.perf_counter() - start)
