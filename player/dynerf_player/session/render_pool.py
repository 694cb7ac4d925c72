"""The threads that render, and how many viewers may keep them busy.

Torch spreads one render over all cores, so more threads would only fight: one is for pictures that must be
quick, because somebody moves, one for those that may take their time (full pictures, movies, thumbnails).
Each works in order of asking, one picture at a time, so nobody waits for more than a picture of each other
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
from dynerf_decoder.render.frame import depth_image
from dynerf_player.library.interface import ClipVersion


@dataclass(frozen=True)
class RenderRequest:
    """What to render: ``frame`` in frames, ``quick`` when somebody moves meanwhile, ``layers`` 0 for all."""

    camera: Camera
    frame: float
    depth: bool = False
    quick: bool = False
    layers: int = 0


@dataclass(frozen=True)
class RenderedFrame:
    """A rendered picture and the seconds it took, waiting not counted."""

    pixels: UInt8[np.ndarray, "height width 3"]
    seconds: float


@dataclass
class SessionLimit:
    """Places for viewers; movies take one too."""

    limit: int
    taken: int = 0

    def take(self) -> bool:
        """Take a place; False when none is free."""
        if self.taken >= self.limit:
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        """Leave it to the next one."""
        self.taken -= 1


@dataclass
class RenderPool:
    """Renders for everybody; ``close`` it at the end."""

    slots: SessionLimit
    _quick: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "quick"))
    _patient: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "patient"))
    _closed: threading.Event = field(default_factory=threading.Event)

    async def render(
        self, edition: ClipVersion, order: RenderRequest, stale: Callable[[], bool] | None = None
    ) -> RenderedFrame:
        """A picture. StoppedError when ``stale`` said before a tile that nobody wants it any more.

        A render whose caller is cancelled is given up too.
        """
        cancelled = threading.Event()

        def stop() -> bool:
            return cancelled.is_set() or self._closed.is_set() or (stale is not None and stale())

        thread = self._quick if order.quick else self._patient
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, _shoot, edition, order, stop)
        finally:
            cancelled.set()

    def close(self) -> None:
        """Give up what is being rendered, and wait for it."""
        self._closed.set()
        for thread in (self._quick, self._patient):
            thread.shutdown(cancel_futures=True)


def _shoot(edition: ClipVersion, order: RenderRequest, stop: Callable[[], bool]) -> RenderedFrame:
    clip = edition.clip if order.layers == 0 else edition.clip.with_layers(order.layers)
    clip.fold(order.frame)  # may fetch and load the model, which is not the render's own time
    start = time.perf_counter()
    picture = clip.render(order.camera, frame=order.frame, stop=stop)
    pixels = depth_image(picture.depth, *clip.depth_range()) if order.depth else picture.numpy()
    return RenderedFrame(pixels, time.perf_counter() - start)
