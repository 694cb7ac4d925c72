"""The user's cache folder, by the conventions of macOS, Linux (XDG) and Windows."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_dir


def user_cache() -> Path | None:
    """The folder, which may not exist yet; None for a user without a home directory."""
    folder = Path(user_cache_dir("dynerf", appauthor=False))
    return folder if folder.is_absolute() else None
