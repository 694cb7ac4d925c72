"""Opens a clip at a path, or at an http or https address that is read by range requests."""

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

# torch and aiohttp take seconds to import, so they are imported where they are needed.

Location: TypeAlias = str | PathLike[str]
"""A path, or an http or https address as text."""


def open(location: Location, *, device: str = "auto", layers: int | None = None) -> "Clip":  # noqa: A001
    """Open a clip at a path or an address for rendering; use it in a ``with`` block, or call its ``close``.

    ``device`` is auto (cuda if available), cpu, cuda or cuda:N. ``layers`` is the largest number of quality
    layers of the weights to use. From an address only the bytes that are needed are fetched.

    Raises FormatError (not a .dnv file, or damaged), RemoteError (an address that cannot be read),
    ConfigError (the device), ViewError (fewer than one layer); all are subclasses of DynerfError.
    """
    from dynerf_decoder.clip.clip import Clip
    from dynerf_format import Reader

    where = choose_device(device)
    source = source_at(location)
    try:
        return Clip(Reader(source), where, name=source.name, layers=layers, on_close=source.close)
    except BaseException:
        source.close()
        raise


@asynccontextmanager
async def open_async(
    location: Location, *, device: str = "auto", layers: int | None = None
) -> "AsyncIterator[AsyncClip]":
    """Like ``open``, for use in ``async with``: opening and rendering run in threads."""
    import asyncio

    from dynerf_player.client.async_clip import AsyncClip

    opened = await asyncio.to_thread(open, location, device=device, layers=layers)
    with opened:
        clip = AsyncClip(opened)
        try:
            yield clip
        finally:
            await clip.close()


def source_at(location: Location) -> "FileSource | HttpSource":
    """The bytes of a clip at a path or an address; the caller closes the source. Raises DynerfError."""
    from dynerf_format import FileSource

    if is_remote(location):
        from dynerf_player.client.source import HttpSource

        return HttpSource(str(location))
    return FileSource(Path(location))


def is_remote(location: Location) -> bool:
    """Whether a location is an http or https address."""
    return isinstance(location, str) and is_address(location)


def parse_location(text: str) -> str | Path:
    """Parse a command-line argument: an address stays a string, everything else is a path."""
    return text if is_remote(text) else Path(text)
