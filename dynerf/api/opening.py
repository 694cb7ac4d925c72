"""Opens a clip wherever it is: a path, or an http or https address that is read by range requests."""

from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dynerf.console.device import choose_device
from dynerf_player.client.address import is_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dynerf_decoder.clip.clip import Clip
    from dynerf_format import FileSource
    from dynerf_player.client.async_clip import AsyncClip
    from dynerf_player.client.source import HttpSource

# torch and aiohttp take seconds to import: only those who need them pay for it.

Place: TypeAlias = str | PathLike[str]
"""A path, or an http or https address as text."""


def open(place: Place, *, device: str = "auto", layers: int | None = None) -> "Clip":  # noqa: A001
    """Open a clip at a path or an address for rendering; use it in a ``with`` block, or call its ``close``.

    ``device`` is auto (cuda where there is one), cpu, cuda or cuda:N. ``layers`` is how many quality layers
    of the weights are used at most. Of an address only the bytes that are needed are fetched.

    Raises FormatError (not a .dnv file, or damaged), RemoteError (an address that cannot be read),
    ConfigError (the device), ViewError (fewer than one layer); all are DynerfError.
    """
    from dynerf_decoder.clip.clip import Clip
    from dynerf_format import Reader

    where = choose_device(device)
    source = source_at(place)
    try:
        return Clip(Reader(source), where, name=source.name, layers=layers, on_close=source.close)
    except BaseException:
        source.close()
        raise


@asynccontextmanager
async def open_async(
    place: Place, *, device: str = "auto", layers: int | None = None
) -> "AsyncIterator[AsyncClip]":
    """As ``open``, for asynchronous programs: opening and rendering run in threads. Use in ``async with``."""
    import asyncio

    from dynerf_player.client.async_clip import AsyncClip

    opened = await asyncio.to_thread(open, place, device=device, layers=layers)
    with opened:
        clip = AsyncClip(opened)
        try:
            yield clip
        finally:
            await clip.close()


def source_at(place: Place) -> "FileSource | HttpSource":
    """The bytes of a clip at a path or an address, to be closed. Raises DynerfError."""
    from dynerf_format import FileSource

    if is_remote(place):
        from dynerf_player.client.source import HttpSource

        return HttpSource(str(place))
    return FileSource(Path(place))


def is_remote(place: Place) -> bool:
    """True for what is meant as an address."""
    return isinstance(place, str) and is_address(place)


def place_of(text: str) -> str | Path:
    """An argument of the command: an address as it is, everything else as a path."""
    return text if is_remote(text) else Path(text)
