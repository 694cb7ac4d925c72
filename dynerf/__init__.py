"""dynerf: a codec and player for neural 3D video.

    import dynerf

    with dynerf.open_clip("clip.dnv") as clip:
        picture = clip.render(clip.cameras[0], frame=12.5)
        pixels = picture.to_uint8()

A clip may also be at an http or https address, and ``async with dynerf.open(...)`` has the same clip for
asynchronous programs. The command ``dynerf`` does the rest; see ``dynerf --help``.
"""

TYPE_CHECKING = False  # as in typing, whose import takes longer than all of this
if TYPE_CHECKING:
    from dynerf_format.version import __version__

    from .opening import open_async as open  # noqa: A004 - read as dynerf.open
    from .opening import open_clip, open_source

__all__ = ["__version__", "open", "open_clip", "open_source"]

# Where each name is, so that importing this package loads nothing else (PEP 562).
_HOMES = {
    "__version__": ("dynerf_format.version", "__version__"),
    "open": ("dynerf.opening", "open_async"),
    "open_clip": ("dynerf.opening", "open_clip"),
    "open_source": ("dynerf.opening", "open_source"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, attribute = _HOMES[name]
    value: object = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
