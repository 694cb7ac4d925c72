"""Opens a clip wherever it is: a path, or an http or https address that is read by range requests."""

from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_player.client.address import is_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from dynerf_decoder.clip import Clip
    from dynerf_format import Source
    from dynerf_player.client.clip import AsyncClip

# torch and aiohttp take seconds to import: only those who need them pay for it.


@contextmanager
def open_source(place: str | Path) -> "Iterator[Source]":
    """The bytes of a clip at a path or an address. Raises dynerf_format.DynerfError."""
    from dynerf_format import FileSource

    if is_remote(place):
        from dynerf_player.client.source import HttpSource

        with HttpSource(str(place)) as remote:
            yield remote
    else:
        with FileSource(place) as local:
            yield local


@contextmanager
def open_clip(place: str | Path, device: str = "cpu", layers: int | None = None) -> "Iterator[Clip]":
    """Open a clip at a path or an address for rendering on a torch device, from at most ``layers`` layers.

    Raises dynerf_format.DynerfError.
    """
    from dynerf_decoder.clip import Clip
    from dynerf_format import Reader

    with (
        open_source(place) as source,
        closing(Clip(Reader(source), device, name=source.name, layers=layers)) as clip,
    ):
        yield clip


@asynccontextmanager
async def open_async(place: str | Path, device: str = "cpu") -> "AsyncIterator[AsyncClip]":
    """As ``open_clip``, for asynchronous programs: opening and rendering run in threads."""
    import asyncio

    from dynerf_player.client.clip import AsyncClip

    with ExitStack() as stack:
        clip = AsyncClip(await asyncio.to_thread(stack.enter_context, open_clip(place, device)))
        try:
            yield clip
        finally:
            await clip.close()


def is_remote(place: str | Path) -> bool:
    """True for what is meant as an address."""
    return isinstance(place, str) and is_address(place)


def place_of(text: str) -> str | Path:
    """An argument of the command: an address as it is, everything else as a path."""
    return text if is_remote(text) else Path(text)
