"""Where a server's clips come from: the seam between ``dynerf serve`` (files here) and ``dynerf play`` (bytes
from afar).

A library knows clips by name; an edition is one version of a clip. Whoever holds an edition gets pictures of
the same bytes for as long as it is held: when the clip is replaced, the library hands out another edition
with another entity tag, and nothing is ever mixed.

Everything here is called from the server's event loop and MUST NOT block it, except ``Edition.clip``, which
only the one render thread uses (see ``studio.py``): what ``Clip`` reads there may block, so ``prepare``
should have fetched it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from dynerf_format.errors import DynerfError

if TYPE_CHECKING:
    from dynerf_decoder.clip import Clip


class NoSuchClipError(DynerfError):
    """The library has no clip of that name, or no longer."""


@dataclass(frozen=True)
class Buffer:
    """How much of a clip's file is here: bytes, frames [first, last] with latents, quality layers."""

    fetched: int
    total: int
    ranges: tuple[tuple[int, int], ...]
    layers: int


class Edition(Protocol):
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
    def clip(self) -> "Clip":
        """The clip, opened for rendering; for the render thread, except its header and cameras."""

    def raw(self) -> BinaryIO | None:
        """The file itself, opened anew and owned by the caller, or None when it is not on this machine.

        Raises NoSuchClipError when it is no longer this edition.
        """

    def buffer(self) -> Buffer:
        """What is here now."""

    async def prepare(self, frame: float, layers: int) -> None:
        """Return when rendering a moment (in frames) needs no more waiting; cancelled when nobody wants it.

        ``layers`` quality layers, 0 for as many as there are. Raises DynerfError when it cannot be had.
        """


class Library(Protocol):
    """Clips by name."""

    @property
    def is_folder(self) -> bool:
        """Whether it is worth a catalogue page; else the address ``/`` leads to the only clip."""

    def names(self) -> Sequence[str]:
        """The names of all clips, sorted."""

    async def edition(self, name: str) -> Edition:
        """The newest edition of a clip; the same object until the clip is replaced.

        Cheap when nothing changed: live sessions ask every second. Raises NoSuchClipError, or another
        DynerfError when there is a file but it cannot be read as a clip; messages hold no paths.
        """

    async def close(self) -> None:
        """Let go of everything."""
