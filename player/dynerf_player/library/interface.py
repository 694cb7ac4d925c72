"""Where a server's clips come from: the seam between ``dynerf serve`` (files here) and ``dynerf play`` (bytes
from afar).

A library knows clips by name; an edition is one version of a clip. Whoever uses an edition gets pictures of
the same bytes for as long as it is used: when the clip is replaced, the library hands out another edition
with another entity tag, and nothing is ever mixed. An edition is opened once, stays open while in use, and is
closed after its last user (``editions.py``).

Everything here is called from the server's event loop and MUST NOT block it, except ``ClipVersion.clip``,
which
the render threads use (see ``studio.py``): what ``Clip`` reads there may block, so ``prepare`` should have
fetched it before. ``SharedClip`` (``models.py``) is a clip that several threads may fold and render.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dynerf_format.container.source import Source
from dynerf_format.errors import DynerfError

if TYPE_CHECKING:
    from .shared_clip import SharedClip


class NoSuchClipError(DynerfError):
    """The library has no clip of that name, or no longer."""


@dataclass(frozen=True)
class Buffer:
    """How much of a clip's file is here: bytes, frames [first, last] with latents, quality layers."""

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

    def raw(self) -> Source | None:
        """The bytes of the file, to be handed on, or None when they are not on this machine.

        Its reads may block, so they are made in threads; they raise FormatError rather than return bytes of
        another edition.
        """

    def buffer(self) -> Buffer:
        """What is here now."""

    async def prepare(self, frame: float, layers: int) -> None:
        """Return when rendering a moment (in frames) needs no more waiting; cancelled when nobody wants it.

        ``layers`` quality layers, 0 for as many as there are. Raises DynerfError when it cannot be had.
        """


@runtime_checkable
class Library(Protocol):
    """Clips by name."""

    @property
    def is_folder(self) -> bool:
        """Whether it is worth a catalogue page; else the address ``/`` leads to the only clip."""

    async def names(self) -> Sequence[str]:
        """The names of all clips, sorted."""

    def edition(self, name: str) -> AbstractAsyncContextManager[ClipVersion]:
        """The newest edition of a clip, open while the block runs.

        The same object as long as it is in use and the clip is not replaced, so another object means another
        file. Cheap when nothing changed: live sessions look every second. Raises NoSuchClipError, or another
        DynerfError when there is a file but it cannot be read as a clip; messages hold no paths.
        """

    async def close(self) -> None:
        """Let go of everything."""
