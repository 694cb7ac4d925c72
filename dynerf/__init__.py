"""dynerf: a codec and player for neural 3D video.

    import dynerf

    with dynerf.open_clip("clip.dnv") as clip:
        picture = clip.render(clip.cameras[0], frame=12.5)
        pixels = picture.to_uint8()

The command ``dynerf`` does the rest; see ``dynerf --help``.
"""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_format.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynerf_decoder.clip import Clip

__all__ = ["__version__", "open_clip"]


@contextmanager
def open_clip(path: str | Path, device: str = "cpu") -> "Iterator[Clip]":
    """Open a .dnv file for rendering on a torch device. Raises dynerf_format.DynerfError."""
    # torch takes seconds to import: only those who render pay for it.
    from dynerf_decoder.clip import Clip
    from dynerf_format import FileSource, Reader

    with FileSource(path) as source:
        yield Clip(Reader(source), device, name=source.name)
