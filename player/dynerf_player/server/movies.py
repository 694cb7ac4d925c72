"""Camera paths to movies: rendered picture by picture beside the live sessions, kept for ten minutes.

Movies are made one at a time in a session's place, a few may wait (``movie_queue.py``), and the work of each
is bounded. A movie is written to a temporary file; whoever stops listening stops the rendering.
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
from dynerf_decoder.video.frame_writer import open_output
from dynerf_format.errors import DynerfError, ViewError
from dynerf_player.library.interface import ClipVersion
from dynerf_player.library.local import PinnedFile
from dynerf_player.session.in_thread import in_thread
from dynerf_player.session.render_pool import RenderPool, RenderRequest
from dynerf_player.session.timeouts import Timeouts

from .movie_queue import MovieQueue
from .range_requests import send_file
from .write_timeout import watched

MOST_BYTES = 2**20  # of a camera path
_NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class MovieLimits:
    """The work of a movie: its pictures, pixels of one and of all of them, seconds of rendering.

    ``waiting`` movies may wait; the last ``kept`` ones are kept for some seconds.
    """

    pictures: int = 3600
    picture_pixels: int = 2**23
    pixels: int = 2**31
    seconds: float = 1800.0
    waiting: int = 4
    kept: int = 8
    kept_seconds: float = 600.0


@dataclass(frozen=True)
class _Made:
    """A finished movie of a clip, and what will remove it."""

    clip: str
    path: Path
    timer: asyncio.TimerHandle


@dataclass
class Movies:
    """Makes movies and keeps the last ones; ``close`` removes them. Belongs to one event loop."""

    studio: RenderPool
    patience: Timeouts
    limits: MovieLimits = field(default_factory=MovieLimits)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="dynerf-movies-")
    )
    _made: dict[str, _Made] = field(default_factory=dict)  # by token, oldest first

    def __post_init__(self) -> None:
        self._queue = MovieQueue(self.studio.slots, self.limits.waiting)

    async def answer(self, request: web.Request, edition: ClipVersion) -> web.StreamResponse:
        """The answer to a camera path: a movie, or progress and the movie's address."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="A camera path is application/json.")
        try:
            async with asyncio.timeout(self.patience.body):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The camera path did not come in time.") from None
        shots, timing = await asyncio.to_thread(_plan, body, edition, self.limits)
        with self._queue.place():
            if _NDJSON in request.headers.get("Accept", ""):
                return await self._tell(request, edition, shots, timing)
            token = secrets.token_urlsafe(16)
            async with contextlib.aclosing(self._make(token, edition, shots, timing)) as making:
                async for _ in making:
                    pass
        return await self.fetch(request, edition.name, token)

    async def fetch(self, request: web.Request, name: str, token: str) -> web.StreamResponse:
        """The answer with a finished movie. Raises 404."""
        made = self._made.get(token)
        if made is None or made.clip != name:
            raise web.HTTPNotFound(text="There is no such movie, or no longer.")
        headers = {
            "Content-Type": "video/mp4",
            "Content-Disposition": 'attachment; filename="movie.mp4"',
            "Cache-Control": "no-store",
        }
        movie = await asyncio.to_thread(PinnedFile, made.path, "movie")
        return await send_file(request, movie, f'"{token}"', headers, self.patience.stall)

    def keep(self, token: str, clip: str, path: Path) -> None:
        """Keep a finished movie for its time, and one fewer of the others when there are too many."""
        timer = asyncio.get_running_loop().call_later(self.limits.kept_seconds, self._remove, token)
        self._made[token] = _Made(clip, path, timer)
        if len(self._made) > self.limits.kept:
            self._remove(next(iter(self._made)))

    def close(self) -> None:
        """Remove all of them."""
        for token in list(self._made):
            self._remove(token)
        self._folder.cleanup()

    async def _tell(
        self, request: web.Request, edition: ClipVersion, shots: list[Shot], timing: Timing
    ) -> web.StreamResponse:
        # A proxy that collected the lines until the movie is done would keep the progress from the page.
        headers = {"Content-Type": _NDJSON, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        token = secrets.token_urlsafe(16)
        last: dict[str, str] = {"movie": f"{quote(edition.name, safe='')}/{token}.mp4"}
        try:
            async with contextlib.aclosing(self._make(token, edition, shots, timing)) as making:
                async for done in making:
                    async with watched(request, self.patience.stall):
                        await response.write(_line({"done": done, "total": len(shots)}))
        except DynerfError as error:
            last = {"error": _without_path(error)}
        async with watched(request, self.patience.stall):
            await response.write(_line(last))
            await response.write_eof()
        return response

    async def _make(
        self, token: str, edition: ClipVersion, shots: list[Shot], timing: Timing
    ) -> AsyncGenerator[int, None]:
        """Render a movie when it is its turn, yielding how many pictures are done. Close the generator.

        Raises DynerfError, ViewError when it takes too long.
        """
        path = Path(self._folder.name) / f"{token}.mp4"
        camera, clock = shots[0].camera, asyncio.get_running_loop().time
        async with self._queue.turn:
            end = clock() + self.limits.seconds
            try:
                with contextlib.ExitStack() as stack:
                    size = camera.width, camera.height
                    out = stack.enter_context(open_output(path, *size, timing.fps, len(shots)))
                    for done, shot in enumerate(shots):
                        await in_thread(out.write, await self._render(edition, shot, end))
                        yield done + 1
                    await in_thread(stack.close)
            except BaseException:  # whoever goes away leaves no file behind
                path.unlink(missing_ok=True)
                raise
        self.keep(token, edition.name, path)

    async def _render(
        self, edition: ClipVersion, shot: Shot, end: float
    ) -> UInt8[np.ndarray, "height width 3"]:
        """One picture of a movie that must be finished at ``end``, in the event loop's time."""
        frame = min(shot.time * float(edition.clip.fps), edition.clip.frames - 1.0)
        frame = float(round(frame)) if abs(frame - round(frame)) < 1e-6 else frame
        try:
            async with asyncio.timeout_at(end):
                await edition.prepare(frame, 0)
                return (await self.studio.render(edition, RenderRequest(shot.camera, frame))).pixels
        except TimeoutError:
            raise ViewError(
                f"the movie is not finished after {self.limits.seconds:g} s; render fewer or smaller pictures"
            ) from None

    def _remove(self, token: str) -> None:
        made = self._made.pop(token)
        made.timer.cancel()
        made.path.unlink(missing_ok=True)


def _plan(body: bytes, edition: ClipVersion, limits: MovieLimits) -> tuple[list[Shot], Timing]:
    """The shots of a camera path. Raises ViewError, HTTPRequestEntityTooLarge when it is too much work."""
    clip = edition.clip
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


def _check_work(what: str, found: int, most: int) -> None:
    if found > most:
        raise web.HTTPRequestEntityTooLarge(
            most, found, text=f"The camera path has {found} {what}; at most {most} are rendered here."
        )


def _line(record: dict[str, object] | dict[str, str] | dict[str, int]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _without_path(error: DynerfError) -> str:
    """What went wrong, without the name of the temporary file."""
    return str(error).partition(".mp4: ")[2] or str(error)
