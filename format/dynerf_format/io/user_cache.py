"""The user's cache folder: macOS, Linux (XDG) and Windows each have their own."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_dir


def user_cache() -> Path | None:
    """The folder, which need not exist; None for a user without a home directory."""
    folder = Path(user_cache_dir("dynerf", appauthor=False))
    return folder if folder.is_absolute() else None
