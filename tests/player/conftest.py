"""One tiny clip for all tests of the player; tests that change it work on copies."""

from pathlib import Path

import pytest

from dynerf_format.edit.splice import cut_clip
from support.encoding import tiny_encode, tiny_job, write_scene


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a few frames, read-only."""
    folder = tmp_path_factory.mktemp("player")
    tiny_encode(tiny_job(write_scene(folder / "scene"), folder / "clip.dnv"))
    return folder / "clip.dnv"


@pytest.fixture(scope="session")
def other_clip(clip: Path) -> Path:
    """Another clip of the same scene, read-only."""
    path = clip.with_name("other.dnv")
    cut_clip(clip, 0, 3, path)
    return path
