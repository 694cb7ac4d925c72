"""Camera paths to movies: rendered picture by picture beside the live sessions, kept for ten minutes.

A movie takes a session's place while it is made. It is written to a temporary file; whoever stops
listening stops the rendering.
"""

import asyncio
import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from dynerf_decoder.movie import open_output
from dynerf_decoder.paths import Timing, parse_camera_path, plan_shots, plan_timing
from dynerf_decoder.paths.shots import Shot
from dynerf_format.errors import DynerfError, ViewError

from .catalogue import PinnedFile
from .deadline import watched
from .files import send_file
from .library import Edition
from .patience import Patience
from .studio import Order, Studio

MOST_BYTES = 2**20  # of a camera path
_MOST_PICTURES = 3600
_MOST_PIXELS = 2**23
_KEPT_SECONDS, _MOST_KEPT = 600.0, 8
_NDJSON = "application/x-ndjson"


@dataclass
class Movies:
    """Makes movies and keeps the last ones; ``close`` removes them."""

    studio: Studio
    patience: Patience
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="dynerf-movies-")
    )
    _made: dict[str, tuple[str, Path, float]] = field(default_factory=dict)

    async def answer(self, request: web.Request, edition: Edition) -> web.StreamResponse:
        """The answer to a camera path: a movie, or progress and the movie's address."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="A camera path is application/json.")
        try:
            async with asyncio.timeout(self.patience.body):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The camera path did not come in time.") from None
        shots, timing = await asyncio.to_thread(_plan, body, edition)
        if not self.studio.slots.take():
            raise web.HTTPServiceUnavailable(text="All sessions are taken.", headers={"Retry-After": "10"})
        try:
            if _NDJSON in request.headers.get("Accept", ""):
                return await self._tell(request, edition, shots, timing)
            async for _ in self._make(token := secrets.token_urlsafe(16), edition, shots, timing):
                pass
        finally:
            self.studio.slots.give_back()
        return await self.fetch(request, edition.name, token)

    async def fetch(self, request: web.Request, name: str, token: str) -> web.StreamResponse:
        """The answer with a finished movie. Raises 404."""
        self._forget()
        owner, path, _ = self._made.get(token, ("", Path(), 0.0))
        if owner != name:
            raise web.HTTPNotFound(text="There is no such movie, or no longer.")
        headers = {
            "Content-Type": "video/mp4",
            "Content-Disposition": 'attachment; filename="movie.mp4"',
            "Cache-Control": "no-store",
        }
        return await send_file(request, PinnedFile(path, "movie"), f'"{token}"', headers, self.patience.stall)

    def close(self) -> None:
        """Remove all of them."""
        self._folder.cleanup()

    async def _tell(
        self, request: web.Request, edition: Edition, shots: list[Shot], timing: Timing
    ) -> web.StreamResponse:
        # A proxy that collected the lines until the movie is done would keep the progress from the page.
        headers = {"Content-Type": _NDJSON, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        token = secrets.token_urlsafe(16)
        last: dict[str, str] = {"movie": f"{quote(edition.name, safe='')}/{token}.mp4"}
        try:
            async for done in self._make(token, edition, shots, timing):
                async with watched(request, self.patience.stall):
                    await response.write(_line({"done": done, "total": len(shots)}))
        except DynerfError as error:
            last = {"error": _without_path(error)}
        async with watched(request, self.patience.stall):
            await response.write(_line(last))
            await response.write_eof()
        return response

    async def _make(
        self, token: str, edition: Edition, shots: list[Shot], timing: Timing
    ) -> AsyncIterator[int]:
        """Render a movie, yielding how many pictures are done."""
        path = Path(self._folder.name) / f"{token}.mp4"
        camera, fps = shots[0].camera, edition.clip.fps
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(open_output(path, camera.width, camera.height, timing.fps, len(shots)))
            for done, shot in enumerate(shots):
                frame = min(shot.time * float(fps), edition.clip.frames - 1.0)
                frame = float(round(frame)) if abs(frame - round(frame)) < 1e-6 else frame
                await edition.prepare(frame, 0)
                picture = await self.studio.render(edition, Order(shot.camera, frame))
                await asyncio.to_thread(out.write, picture.pixels)
                yield done + 1
            await asyncio.to_thread(stack.close)
        self._made[token] = edition.name, path, time.monotonic()
        self._forget()

    def _forget(self) -> None:
        """Remove movies that are too old, or too many."""
        oldest_first = sorted(self._made, key=lambda token: self._made[token][2])
        for place, token in enumerate(oldest_first):
            _, path, made = self._made[token]
            if time.monotonic() - made > _KEPT_SECONDS or len(oldest_first) - place > _MOST_KEPT:
                path.unlink(missing_ok=True)
                del self._made[token]


def _plan(body: bytes, edition: Edition) -> tuple[list[Shot], Timing]:
    """The shots of a camera path. Raises ViewError."""
    clip = edition.clip
    path = parse_camera_path(body, Path("camera path"))
    timing = plan_timing(
        clip.frames, clip.fps, frame_range=None, seconds=None, speed=1.0, freeze=None, out_fps=None, view=path
    )
    if len(timing.times) > _MOST_PICTURES:
        raise ViewError(f"camera path: {len(timing.times)} pictures, at most {_MOST_PICTURES} are rendered")
    shots = plan_shots(path, clip.cameras, timing=timing, size=None)
    if shots[0].camera.width * shots[0].camera.height > _MOST_PIXELS:
        raise ViewError(f"camera path: pictures of more than {_MOST_PIXELS} pixels")
    return shots, timing


def _line(record: dict[str, object] | dict[str, str] | dict[str, int]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _without_path(error: DynerfError) -> str:
    """What went wrong, without the name of the temporary file."""
    return str(error).partition(".mp4: ")[2] or str(error)
