"""Renders camera paths to movies, beside the live sessions, and keeps them for ten minutes.

Movies are rendered one at a time and count as one session; a few may wait (``movie_queue.py``), and the work
of each is bounded. A movie is written to a temporary file. Rendering stops when the client disconnects.
"""

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
from aiohttp import web
from jaxtyping import UInt8

from dynerf_decoder.cameras.paths import Timing, parse_camera_path, plan_shots, plan_timing
from dynerf_decoder.cameras.paths.render_plan import Shot
from dynerf_decoder.sound.shot_sound import sound_of_times
from dynerf_decoder.video.frame_writer import FrameWriter, open_output
from dynerf_format.errors import DynerfError, OutputError, ViewError
from dynerf_player.library.interface import ClipVersion
from dynerf_player.library.local import PinnedFile
from dynerf_player.session.in_thread import in_thread
from dynerf_player.session.render_pool import RenderPool, RenderRequest
from dynerf_player.session.timeouts import Timeouts

from .movie_queue import MovieQueue
from .range_requests import send_file
from .refusals import not_stored
from .write_timeout import minimum_write_rate

MAX_PATH_BYTES = 2**20  # of a camera path
_NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class MovieLimits:
    """Limits of a movie: number of pictures, pixels per picture and in total, seconds of rendering.

    ``waiting`` movies may wait; the last ``kept`` ones are kept for ``kept_seconds``.
    """

    pictures: int = 3600
    picture_pixels: int = 2**23
    pixels: int = 2**31
    seconds: float = 1800.0
    waiting: int = 4
    kept: int = 8
    kept_seconds: float = 600.0


@dataclass(frozen=True)
class _FinishedMovie:
    """A finished movie of a clip, and the timer that removes it."""

    clip: str
    path: Path
    timer: asyncio.TimerHandle


@dataclass
class Movies:
    """Renders movies and keeps the last ones; ``close`` removes them. Belongs to one event loop."""

    render_pool: RenderPool
    timeouts: Timeouts
    limits: MovieLimits = field(default_factory=MovieLimits)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="dynerf-movies-")
    )
    _finished: dict[str, _FinishedMovie] = field(default_factory=dict)  # by token, oldest first

    def __post_init__(self) -> None:
        self._queue = MovieQueue(self.render_pool.sessions, self.limits.waiting)

    async def create(self, request: web.Request, version: ClipVersion) -> web.StreamResponse:
        """Respond to a camera path with a movie, or with progress and the movie's address."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="The camera path must be application/json.")
        try:
            async with asyncio.timeout(self.timeouts.body):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The camera path did not arrive in time.") from None
        shots, timing = await asyncio.to_thread(_plan, body, version, self.limits)
        with self._queue.enter():
            if _NDJSON in request.headers.get("Accept", ""):
                return await self._stream_progress(request, version, shots, timing)
            token = secrets.token_urlsafe(16)
            async with contextlib.aclosing(self._make(token, version, shots, timing)) as making:
                async for _ in making:
                    pass
        return await self.fetch(request, version.name, token)

    async def fetch(self, request: web.Request, name: str, token: str) -> web.StreamResponse:
        """Respond with a finished movie. Raises 404."""
        movie = self._finished.get(token)
        if movie is None or movie.clip != name:
            raise web.HTTPNotFound(text="There is no such movie, or it has expired.")
        headers = {
            "Content-Type": "video/mp4",
            "Content-Disposition": 'attachment; filename="movie.mp4"',
            "Cache-Control": "no-store",
        }
        file = await asyncio.to_thread(PinnedFile, movie.path, "movie")
        return await send_file(request, file, f'"{token}"', headers, self.timeouts.stall)

    def keep(self, token: str, clip: str, path: Path) -> None:
        """Keep a finished movie for ``kept_seconds``; removes the oldest when there are too many."""
        timer = asyncio.get_running_loop().call_later(self.limits.kept_seconds, self._remove, token)
        self._finished[token] = _FinishedMovie(clip, path, timer)
        if len(self._finished) > self.limits.kept:
            self._remove(next(iter(self._finished)))

    def close(self) -> None:
        """Remove all movies."""
        for token in list(self._finished):
            self._remove(token)
        self._folder.cleanup()

    async def _stream_progress(
        self, request: web.Request, version: ClipVersion, shots: list[Shot], timing: Timing
    ) -> web.StreamResponse:
        # X-Accel-Buffering: a proxy that buffers the lines would delay the progress until the movie is done.
        headers = {"Content-Type": _NDJSON, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        token = secrets.token_urlsafe(16)
        last: dict[str, str] = {"movie": f"{quote(version.name, safe='')}/{token}.mp4"}
        try:
            async with contextlib.aclosing(self._make(token, version, shots, timing)) as making:
                async for done in making:
                    async with minimum_write_rate(request, self.timeouts.stall):
                        await response.write(_line({"done": done, "total": len(shots)}))
        except OutputError as error:
            last = {"error": not_stored(error)}
        except DynerfError as error:
            last = {"error": str(error)}
        async with minimum_write_rate(request, self.timeouts.stall):
            await response.write(_line(last))
            await response.write_eof()
        return response

    async def _make(
        self, token: str, version: ClipVersion, shots: list[Shot], timing: Timing
    ) -> AsyncGenerator[int, None]:
        """Render a movie after those before it, yielding the number of pictures done. Close the generator.

        Raises DynerfError, ViewError when it takes too long. Only an OutputError names the path.
        """
        path = Path(self._folder.name) / f"{token}.mp4"
        clock = asyncio.get_running_loop().time
        async with self._queue.rendering:
            end = clock() + self.limits.seconds
            try:
                with contextlib.ExitStack() as stack:
                    opened = await in_thread(_open, path, version, shots, timing)
                    out = stack.enter_context(opened)
                    for done, shot in enumerate(shots):
                        await in_thread(out.write, await self._render(version, shot, end))
                        yield done + 1
                    await in_thread(stack.close)
            except BaseException:  # cancellation too: leave no file behind
                path.unlink(missing_ok=True)
                raise
        self.keep(token, version.name, path)

    async def _render(
        self, version: ClipVersion, shot: Shot, end: float
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Render one picture of a movie that must be finished at ``end``, in the event loop's time."""
        frame = min(shot.time * float(version.clip.fps), version.clip.frames - 1.0)
        frame = float(round(frame)) if abs(frame - round(frame)) < 1e-6 else frame
        try:
            async with asyncio.timeout_at(end):
                await version.prepare(frame, 0)
                return (await self.render_pool.render(version, RenderRequest(shot.camera, frame))).pixels
        except TimeoutError:
            raise ViewError(
                f"the movie is not finished after {self.limits.seconds:g} s; render fewer or smaller pictures"
            ) from None

    def _remove(self, token: str) -> None:
        movie = self._finished.pop(token)
        movie.timer.cancel()
        movie.path.unlink(missing_ok=True)


def _plan(body: bytes, version: ClipVersion, limits: MovieLimits) -> tuple[list[Shot], Timing]:
    """The shots of a camera path. Raises ViewError, HTTPRequestEntityTooLarge beyond a limit."""
    clip = version.clip
    path = parse_camera_path(body, Path("camera path"))
    timing = plan_timing(
        clip.frames, clip.fps, frame_range=None, seconds=None, speed=1.0, freeze=None, out_fps=None, view=path
    )
    pictures = len(timing.times)
    _check_work("pictures", pictures, limits.pictures)
    shots = plan_shots(path, clip.cameras, timing=timing, size=None)
    pixels = shots[0].camera.width * shots[0].camera.height
    _check_work("pixels in a picture", pixels, limits.picture_pixels)
    _check_work("pixels in all pictures", pictures * pixels, limits.pixels)
    return shots, timing


def _check_work(what: str, found: int, limit: int) -> None:
    if found > limit:
        raise web.HTTPRequestEntityTooLarge(
            limit, found, text=f"The camera path has {found} {what}; the limit is {limit}."
        )


def _line(record: dict[str, object] | dict[str, str] | dict[str, int]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _open(
    path: Path, version: ClipVersion, shots: list[Shot], timing: Timing
) -> contextlib.AbstractContextManager[FrameWriter]:
    """Open a movie, with sound if time passes normally; a ViewError does not name the path.

    Reads the packets of the sound, in this thread. Raises RemoteError and OutputError, too.
    """
    camera = shots[0].camera
    sound = sound_of_times(version.clip.reader, timing.times, timing.fps)  # silent where it is damaged
    try:
        return open_output(path, camera.width, camera.height, timing.fps, len(shots), sound=sound)
    except ViewError as error:
        raise ViewError(str(error).removeprefix(f"{path}: ")) from error
