"""dynerf: a codec and player for neural 3D video.

    import dynerf

    with dynerf.open_clip("clip.dnv") as clip:
        picture = clip.render(clip.cameras[0], frame=12.5)
        pixels = picture.to_uint8()

A clip may also be at an http or https address, and ``async with dynerf.open(...)`` has the same clip for
asynchronous programs. The command ``dynerf`` does the rest; see ``dynerf --help``.
"""

from dynerf_format.version import __version__

from .opening import open_async as open  # noqa: A004 - read as dynerf.open
from .opening import open_clip, open_source

__all__ = ["__version__", "open", "open_clip", "open_source"]
