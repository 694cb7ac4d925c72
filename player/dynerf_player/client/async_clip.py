"""Renders a clip for asynchronous programs: in a thread, so that the event loop stays free."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial

from dynerf_decoder.cameras.camera import Camera, Cameras
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.render.frame import Frame
from dynerf_format import Header


class AsyncClip:
    """A clip whose pictures are awaited. One picture is rendered at a time, in the order of the calls.

    Use as ``async with``; the source stays open, its caller closes it.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._thread = ThreadPoolExecutor(1, "render")

    @property
    def header(self) -> Header:
        """The file's header."""
        return self._clip.header

    @property
    def cameras(self) -> Cameras:
        """The cameras of the recording, by index or by name."""
        return self._clip.cameras

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self._clip.frames

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self._clip.fps

    def frame_at(self, seconds: float) -> float:
        """The moment ``seconds`` from the start, in frames."""
        return self._clip.frame_at(seconds)

    async def render(
        self, camera: Camera, *, time: int | float | None = None, frame: int | float | None = None
    ) -> Frame:
        """As ``Clip.render``: ``time`` in seconds, or ``frame``. Raises DynerfError.

        When this is cancelled the render stops at its next tile.
        """
        cancelled = threading.Event()
        render = partial(self._clip.render, camera, time=time, frame=frame, stop=cancelled.is_set)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, render)
        finally:
            cancelled.set()

    async def close(self) -> None:
        """Wait for the thread to end; renders that have not started are dropped."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
