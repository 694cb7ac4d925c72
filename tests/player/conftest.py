"""One tiny clip for all tests of the player; tests that change it work on copies."""

from pathlib import Path

import pytest

from dynerf_format.edit.splice import cut_clip
from support.encoding import shared_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a few frames, read-only."""
    return shared_clip(tmp_path_factory)


@pytest.fixture(scope="session")
def other_clip(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another clip of the same scene, read-only."""
    path = tmp_path_factory.mktemp("other") / "other.dnv"
    cut_clip(clip, 0, 3, path)
    return path
