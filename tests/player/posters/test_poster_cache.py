"""The cache keeps posters on disk, is bounded, and never makes a request fail."""

import os
from pathlib import Path

import pytest

from dynerf_player.posters import poster_cache
from dynerf_player.posters.poster_cache import PosterCache

JPEG = b"\xff\xd8\xff picture"


def test_a_poster_is_kept_on_disk_for_the_next_process(tmp_path: Path) -> None:
    PosterCache(tmp_path / "posters").put("a", JPEG)
    assert PosterCache(tmp_path / "posters").get("a") == JPEG
    assert PosterCache(tmp_path / "posters").get("b") is None


def test_a_damaged_file_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    assert PosterCache(tmp_path).get("a") is None


@pytest.mark.parametrize("folder", [None, Path("/proc/none"), Path("/dev/null")])
def test_without_a_folder_posters_are_kept_in_memory(folder: Path | None) -> None:
    cache = PosterCache(folder)
    cache.put("a", JPEG)
    assert cache.get("a") == JPEG


def test_the_posters_used_least_recently_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster_cache, "_MAX_FILES", 2)
    for number, name in enumerate(("old", "used", "older")):
        (tmp_path / f"{name}.jpg").write_bytes(JPEG)
        os.utime(tmp_path / f"{name}.jpg", (number, number))
    cache = PosterCache(tmp_path)
    assert cache.get("old") == JPEG  # the time of its last use is now
    cache.put("new", JPEG)
    assert sorted(path.stem for path in tmp_path.glob("*.jpg")) == ["new", "old"]
