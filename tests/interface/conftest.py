"""One capture and one clip for all tests of the command; tests that modify them use copies."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from support.command import TINY, done, write_scene
from support.shared import made_once


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of three cameras, read-only by convention."""
    return made_once(tmp_path_factory, "capture", lambda folder: write_scene(folder / "capture")) / "capture"


@pytest.fixture(scope="session")
def clip(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene, encoded, cam00 held out; read-only by convention."""

    def make(folder: Path) -> None:
        done("encode", scene, "-o", folder / "clip.dnv", *TINY, "--keyframes", 5)

    return made_once(tmp_path_factory, "encoded", make) / "clip.dnv"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: such small images are not faster with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def capture(scene: Path, tmp_path: Path) -> Path:
    """A copy of the scene that a test may modify."""
    return Path(shutil.copytree(scene, tmp_path / "capture"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for results."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
