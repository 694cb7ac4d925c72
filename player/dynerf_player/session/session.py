"""One viewer's session: renders the newest requested view, drops older ones, one render at a time.

While something moves, pictures have few enough pixels to arrive in time. Such a picture is always finished:
otherwise continuous dragging would never display a frame. The full picture follows unless a newer view was
requested; its render stops between tiles as soon as there is one. At most two pictures are unacknowledged.
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

_MAX_UNACKNOWLEDGED = 2
_REFINE_SECONDS = 0.25  # between checks for newly fetched quality layers
_LOST_SECONDS = 5.0  # after which an unacknowledged picture counts as lost

CODERS: dict[str, type[AvcCoder] | type[JpegCoder]] = {"avc": AvcCoder, "jpeg": JpegCoder}


@dataclass
class Session:
    """The state of one viewer. ``send`` takes a picture's bytes and returns when they are sent."""

    version: ClipVersion
    render_pool: RenderPool
    coder: Coder
    send: Callable[[bytes], Awaitable[None]]
    resolution: AdaptiveResolution = field(default_factory=AdaptiveResolution)
    _view: ViewRequest | None = None
    _last_id: int = -1
    _streamed: ClipVersion | None = None
    _unacknowledged: deque[tuple[int, float]] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def request_view(self, view: ViewRequest) -> None:
        """Render this view from now on. Raises MessageError unless its id is greater than the last one."""
        if view.id <= self._last_id:
            raise MessageError("view: id is not greater than the one before")
        self._view, self._last_id = view, view.id
        self._changed.set()

    def acknowledge(self, identity: int) -> None:
        """The oldest picture sent for this view is on the screen, and so are all those before it."""
        if all(sent != identity for sent, _ in self._unacknowledged):
            return
        sent, when = self._unacknowledged.popleft()
        while sent != identity:
            sent, when = self._unacknowledged.popleft()
        self.resolution.acknowledged(time.monotonic() - when)
        self._changed.set()

    def replace(self, version: ClipVersion) -> None:
        """Switch to another version at the next view; nothing of the old one is sent any more."""
        self.version, self._view = version, None

    async def wait_until_idle(self) -> None:
        """Wait until no view requested before now is being rendered."""
        await self._idle.wait()

    async def run(self) -> None:
        """Render requested views until cancelled. Raises DynerfError when one cannot be rendered."""
        while True:
            self._idle.set()
            view = await self._next_view()
            self._idle.clear()
            with contextlib.suppress(StoppedError):
                await self._serve_view(view)

    async def _next_view(self) -> ViewRequest:
        while self._view is None:
            self._changed.clear()
            await self._changed.wait()
        view, self._view = self._view, None
        return view

    async def _serve_view(self, view: ViewRequest) -> None:
        version = self.version
        await version.prepare(self._frame(view), view.layers)
        full = full_size(view.width, view.height)
        size = self.resolution.moving_size(view.width, view.height) if view.moving else full
        # A view at rest that takes long to render is shown with few pixels first, too.
        if not view.moving and not self.resolution.fits(*full):
            size = self.resolution.moving_size(view.width, view.height)
        layers = self._layers(view, version)
        if size != full:
            await self._render_and_send(view, version, size, layers, final=False)
        requested = view.layers or version.clip.layer_count
        while not self._stale(view, version):
            await self._render_and_send(view, version, full, layers, final=layers >= requested)
            if view.moving or layers >= requested:
                return
            sent_layers = layers
            while not self._stale(view, version) and layers == sent_layers:
                await self._wait_for_change(_REFINE_SECONDS)
                layers = self._layers(view, version)

    def _layers(self, view: ViewRequest, version: ClipVersion) -> int:
        """Number of quality layers to render a view with: those available, at most those requested."""
        available = max(1, version.buffer().layers)
        return min(view.layers, available) if view.layers else available

    async def _wait_for_change(self, seconds: float) -> None:
        """Wait for a message of the viewer, at most ``seconds``."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _render_and_send(
        self, view: ViewRequest, version: ClipVersion, size: tuple[int, int], layers: int, *, final: bool
    ) -> None:
        await self._wait_for_acknowledgement()
        full = size == full_size(view.width, view.height)
        if self.version is not version or (full and self._stale(view, version)):
            return
        interactive = not full or self.resolution.fits(*size)
        request = RenderRequest(view.camera(*size), self._frame(view), view.depth, interactive, layers)
        rendered = await self.render_pool.render(
            version, request, (lambda: self._stale(view, version)) if not interactive else None
        )
        self.resolution.rendered(size[0] * size[1], rendered.seconds)
        start = time.perf_counter()
        # A picture of the old version may have been coded and not sent: the next one must not depend on it.
        coded = await asyncio.to_thread(self.coder.encode, rendered.pixels, key=version is not self._streamed)
        seconds = time.perf_counter() - start
        if self.version is version:
            self._streamed = version
            self._unacknowledged.append((view.id, time.monotonic()))
            head = self._head(view, rendered, seconds, layers, key=coded.key, final=final)
            await self.send(head.pack() + coded.data)

    async def _wait_for_acknowledgement(self) -> None:
        """Wait until fewer than two pictures are unacknowledged; old ones count as lost."""
        while len(self._unacknowledged) >= _MAX_UNACKNOWLEDGED:
            left = self._unacknowledged[0][1] + _LOST_SECONDS - time.monotonic()
            if left <= 0:
                self._unacknowledged.popleft()
                continue
            await self._wait_for_change(left)

    def _stale(self, view: ViewRequest, version: ClipVersion) -> bool:
        return self._view is not None or self.version is not version or view.id != self._last_id

    def _frame(self, view: ViewRequest) -> float:
        """The moment of a view in frames, clamped to the clip."""
        return min(max(view.frame, 0.0), self.version.clip.header.frames - 1.0)

    def _head(
        self,
        view: ViewRequest,
        rendered: RenderedFrame,
        seconds: float,
        layers: int,
        *,
        key: bool,
        final: bool,
    ) -> FrameHead:
        buffer = self.version.buffer()
        height, width, _ = rendered.pixels.shape
        return FrameHead(
            self.coder.codec, key, final, layers, view.id, self._frame(view), width, height,
            1000 * rendered.seconds, 1000 * seconds, buffer.fetched,
        )  # fmt: skip
