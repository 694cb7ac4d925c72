"""Defines the interface between the server and its clips, local files or one remote clip.

A library holds clips by name. A ``ClipVersion`` always gives pictures of the same bytes: when the clip's file
is replaced, the library returns another version with another entity tag, and the two never mix. A version is
opened once, stays open while in use, and is closed after its last user (``open_versions.py``).

All methods are called from the server's event loop and MUST NOT block it, except ``ClipVersion.clip``, which
the render threads use (``session/render_pool.py``): reads of the clip may block there, so ``prepare`` should
have fetched the bytes before. Several threads may fold and render a ``SharedClip`` (``shared_clip.py``).
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dynerf_format.container.source import Source
from dynerf_format.errors import DynerfError

if TYPE_CHECKING:
    from .shared_clip import SharedClip


_MAX_NAME_LENGTH = 64


def safe_name(text: str) -> str:
    """The name in addresses of a clip whose own may not be one."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in text)
    return safe[:_MAX_NAME_LENGTH].strip(".") or "clip"


class NoSuchClipError(DynerfError):
    """The library has no clip of that name."""


@dataclass(frozen=True)
class Buffer:
    """What of a clip's file was fetched: bytes, frames [first, last] with latents, quality layers."""

    fetched: int
    total: int
    ranges: tuple[tuple[int, int], ...]
    layers: int


@runtime_checkable
class ClipVersion(Protocol):
    """One version of a clip."""

    @property
    def name(self) -> str:
        """The clip's name in addresses."""

    @property
    def etag(self) -> str:
        """The strong entity tag of these bytes, quotes included."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def clip(self) -> "SharedClip":
        """The clip, opened for rendering; for the render threads, except its header and cameras."""

    def raw(self) -> Source:
        """The bytes of the file.

        Reads may block, so they are made in threads; they raise FormatError or RemoteError rather than return
        bytes of another version.
        """

    def buffer(self) -> Buffer:
        """What has been fetched so far."""

    async def prepare(self, frame: float, layers: int) -> None:
        """Fetch what rendering a moment (in frames) needs; may be cancelled.

        ``layers`` is the number of quality layers, 0 for all. Raises DynerfError when that fails.
        """


@runtime_checkable
class Library(Protocol):
    """Clips by name."""

    @property
    def is_folder(self) -> bool:
        """Whether ``/`` is a catalogue page; else it redirects to the only clip."""

    @property
    def holds_files(self) -> bool:
        """Whether the files are on this machine, so that browsers can fetch and render them."""

    async def names(self) -> Sequence[str]:
        """The names of all clips, sorted."""

    def current(self, name: str) -> AbstractAsyncContextManager[ClipVersion]:
        """The newest version of a clip, open while the block runs.

        The same object as long as it is in use and the clip is not replaced, so another object means another
        file. Cheap when nothing changed: live sessions call this every second. Raises NoSuchClipError, or
        another DynerfError when the file cannot be read as a clip; messages contain no paths.
        """

    async def close(self) -> None:
        """Close all versions."""
