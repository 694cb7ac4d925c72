"""One viewer: the newest wish is rendered, older ones are forgotten, and there is one render in flight.

While something moves the pictures are coarse enough to come in time; such a picture is always finished, or
a hand that never rests would see nothing. When no newer wish came meanwhile, the full picture follows; that
one is given up between tiles as soon as there is a newer wish. At most two pictures are sent ahead of the
viewer's acknowledgements.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dynerf_decoder.render.frame import StoppedError
from dynerf_player.library.interface import ClipVersion

from .adaptive_resolution import AdaptiveResolution, full_size
from .protocol import FrameHead, MessageError, ViewRequest
from .render_pool import RenderedFrame, RenderPool, RenderRequest
from .stream_encoder import AvcCoder, Coder, JpegCoder

_MOST_AHEAD = 2
_FINER = 0.25  # seconds between looks for quality layers that came in meanwhile
_LOST = 5.0  # seconds after which an unacknowledged picture is taken as lost

CODERS: dict[str, type[AvcCoder] | type[JpegCoder]] = {"avc": AvcCoder, "jpeg": JpegCoder}


@dataclass
class Session:
    """The state of one viewer. ``send`` takes a picture's bytes and returns when they are sent."""

    edition: ClipVersion
    studio: RenderPool
    coder: Coder
    send: Callable[[bytes], Awaitable[None]]
    pace: AdaptiveResolution = field(default_factory=AdaptiveResolution)
    _view: ViewRequest | None = None
    _last_id: int = -1
    _streamed: ClipVersion | None = None
    _ahead: deque[tuple[int, float]] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    def wish(self, view: ViewRequest) -> None:
        """The viewer wants to see this instead. Raises MessageError when its id does not grow."""
        if view.id <= self._last_id:
            raise MessageError("view: id is not greater than the one before")
        self._view, self._last_id = view, view.id
        self._news.set()

    def acknowledge(self, identity: int) -> None:
        """The oldest picture sent for this view is on the screen, and so are all those before it."""
        if all(sent != identity for sent, _ in self._ahead):
            return
        sent, when = self._ahead.popleft()
        while sent != identity:
            sent, when = self._ahead.popleft()
        self.pace.acknowledged(time.monotonic() - when)
        self._news.set()

    def replace(self, edition: ClipVersion) -> None:
        """Go on with another edition, at the next wish; nothing of the old one is sent any more."""
        self.edition, self._view = edition, None

    async def between_answers(self) -> None:
        """Wait until nothing is being rendered that was wished for before now."""
        await self._answered.wait()

    async def run(self) -> None:
        """Answer wishes until cancelled. Raises DynerfError when one cannot be rendered."""
        while True:
            self._answered.set()
            view = await self._next()
            self._answered.clear()
            with contextlib.suppress(StoppedError):
                await self._answer(view)

    async def _next(self) -> ViewRequest:
        while self._view is None:
            self._news.clear()
            await self._news.wait()
        view, self._view = self._view, None
        return view

    async def _answer(self, view: ViewRequest) -> None:
        edition = self.edition
        await edition.prepare(self._frame(view), view.layers)
        full = full_size(view.width, view.height)
        size = self.pace.moving_size(view.width, view.height) if view.moving else full
        # A view at rest that takes long gets something to look at first, too.
        if not view.moving and not self.pace.fits(*full):
            size = self.pace.moving_size(view.width, view.height)
        layers = self._layers(view, edition)
        if size != full:
            await self._show(view, edition, size, layers, final=False)
        wanted = view.layers or edition.clip.most_layers
        while not self._stale(view, edition):
            await self._show(view, edition, full, layers, final=layers >= wanted)
            if view.moving or layers >= wanted:
                return
            shown = layers
            while not self._stale(view, edition) and layers == shown:
                await self._pause(_FINER)
                layers = self._layers(view, edition)

    def _layers(self, view: ViewRequest, edition: ClipVersion) -> int:
        """How many quality layers to render a view with: those that are here, not more than wished for."""
        here = max(1, edition.buffer().layers)
        return min(view.layers, here) if view.layers else here

    async def _pause(self, seconds: float) -> None:
        """Wait for news, at most so long."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _show(
        self, view: ViewRequest, edition: ClipVersion, size: tuple[int, int], layers: int, *, final: bool
    ) -> None:
        await self._room()
        full = size == full_size(view.width, view.height)
        if self.edition is not edition or (full and self._stale(view, edition)):
            return
        quick = not full or self.pace.fits(*size)
        order = RenderRequest(view.camera(*size), self._frame(view), view.depth, quick, layers)
        shot = await self.studio.render(
            edition, order, (lambda: self._stale(view, edition)) if not quick else None
        )
        self.pace.rendered(size[0] * size[1], shot.seconds)
        start = time.perf_counter()
        # A picture of the old edition may have been coded and not sent: the new one must not build on it.
        coded = await asyncio.to_thread(self.coder.encode, shot.pixels, key=edition is not self._streamed)
        seconds = time.perf_counter() - start
        if self.edition is edition:
            self._streamed = edition
            self._ahead.append((view.id, time.monotonic()))
            head = self._head(view, shot, seconds, layers, key=coded.key, final=final)
            await self.send(head.pack() + coded.data)

    async def _room(self) -> None:
        """Wait until fewer than two pictures are unacknowledged; old ones are taken as lost."""
        while len(self._ahead) >= _MOST_AHEAD:
            left = self._ahead[0][1] + _LOST - time.monotonic()
            if left <= 0:
                self._ahead.popleft()
                continue
            await self._pause(left)

    def _stale(self, view: ViewRequest, edition: ClipVersion) -> bool:
        return self._view is not None or self.edition is not edition or view.id != self._last_id

    def _frame(self, view: ViewRequest) -> float:
        """The moment of a view, held within the clip."""
        return min(max(view.frame, 0.0), self.edition.clip.header.frames - 1.0)

    def _head(
        self, view: ViewRequest, shot: RenderedFrame, seconds: float, layers: int, *, key: bool, final: bool
    ) -> FrameHead:
        buffer = self.edition.buffer()
        height, width, _ = shot.pixels.shape
        return FrameHead(
            self.coder.codec, key, final, layers, view.id, self._frame(view), width, height,
            1000 * shot.seconds, 1000 * seconds, buffer.fetched,
        )  # fmt: skip
