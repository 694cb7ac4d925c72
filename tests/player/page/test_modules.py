"""Runs the tests of the page's modules under Node.js, and compares the modules with the decoder."""

import asyncio
import json
import os
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.paths.nerfstudio import read_camera_path
from dynerf_decoder.cameras.rig import focus_point, up_axis
from dynerf_decoder.cameras.viewing_volume import ViewingVolume
from dynerf_player.library.local import FileLibrary
from dynerf_player.server.clip_metadata import description
from support.node import missing_node
from support.planes_clip import planes_clip

MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True)
class NodeRun:
    """A finished run of ``node --test``: its output, and the camera path that the page's modules wrote."""

    status: int
    output: str
    path_file: Path


@pytest.fixture(scope="module")
def node_run(tmp_path_factory: pytest.TempPathFactory) -> NodeRun:
    """All tests of the modules, run once."""
    if reason := missing_node():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("modules")
    volumes, path_file = folder / "volumes.json", folder / "path.json"
    volumes.write_text(json.dumps(distances_of_the_decoder()), encoding="utf-8")
    rigs = folder / "rigs.json"
    rigs.write_text(
        json.dumps({"rigs": rigs_of_the_decoder(), "clip": description_of_the_server(folder)}),
        encoding="utf-8",
    )
    variables = {
        "DYNERF_VOLUMES": str(volumes), "DYNERF_PATH_FILE": str(path_file), "DYNERF_RIGS": str(rigs),
    }  # fmt: skip
    files = [str(path) for path in sorted(MODULES.glob("*.test.mjs"))]
    command = ["node", "--test", "--test-reporter=tap", *files]
    run = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=120
    )
    return NodeRun(run.returncode, run.stdout + run.stderr, path_file)


def distances_of_the_decoder() -> list[dict[str, Any]]:
    """Viewing volumes, and how far positions are outside their margins: points, lines, planes and solids."""
    generator = np.random.default_rng(3)
    cases: list[dict[str, Any]] = []
    for case in range(60):
        corners = generator.normal(size=(1 + case % 20, 3)) * 10.0 ** generator.integers(-2, 4)
        corners[:, 3 - case % 3 :] = 0.5  # every third is flat, every third a line
        volume = ViewingVolume(np.concatenate([corners, corners[:2]]))
        spread = 2 * max(np.abs(corners).max(), 1e-3)
        positions = [*(generator.normal(size=(20, 3)) * spread), *corners, corners.mean(axis=0)]
        cases.append(
            {
                "volume": {"points": volume.corners.tolist(), "margin": volume.margin},
                "positions": [position.tolist() for position in positions],
                "distances": [max(0.0, volume.distance(each) - volume.margin) for each in positions],
            }
        )
    return cases


def rigs_of_the_decoder() -> list[dict[str, Any]]:
    """Rigs of cameras that converge, are parallel, diverge or lie far away, with focus point and vertical."""
    generator = np.random.default_rng(5)
    cases: list[dict[str, Any]] = []
    for case in range(40):
        offset = generator.normal(size=3) * 10.0 ** (case % 6)
        spread = (0.0, 0.2, -0.3)[case % 3]  # of the optical axes: parallel, converging, diverging
        cameras = [
            _camera(generator, offset, spread, roll=0.05 * (case % 4) if spread else 0.0)
            for _ in range(1 + case % 7)
        ]
        cases.append(
            {
                "poses": [camera.camera_to_world.reshape(-1).tolist() for camera in cameras],
                "focus": focus_point(cameras).tolist(),
                "up": up_axis(cameras).tolist(),
            }
        )
    return cases


def _camera(generator: np.random.Generator, offset: np.ndarray, spread: float, roll: float) -> Camera:
    """A camera near ``offset`` that looks roughly along -z."""
    across = generator.normal(size=2)
    back = np.array([spread * across[0], spread * across[1] + 0.3, 1.0])
    back /= np.linalg.norm(back)
    right = np.cross([roll * across[0], 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(back, right), back], axis=1)
    position = offset + np.array([across[0], across[1], 0.1 * generator.normal()])
    return Camera(
        name="c", width=64, height=48, focal_x=50.0, focal_y=50.0, centre_x=32.0, centre_y=24.0,
        camera_to_world=np.concatenate([rotation, position[:, None]], axis=1),
    )  # fmt: skip


def description_of_the_server(folder: Path) -> dict[str, Any]:
    """A clip's file, and the record that the server sends for it."""
    made = planes_clip(segments=(2, 3))
    file = folder / "board.dnv"
    file.write_bytes(made.data)
    return {"file": str(file), "description": asyncio.run(_description(file))}


async def _description(file: Path) -> dict[str, Any]:
    library = FileLibrary(file)
    try:
        async with library.current("board") as version:
            return description(version)
    finally:
        await library.close()


def test_the_modules_pass_their_tests_and_agree_with_the_decoder_on_distances(node_run: NodeRun) -> None:
    assert node_run.status == 0, node_run.output
    passed, skipped = (re.search(rf"^# {kind} (\d+)$", node_run.output, re.M) for kind in ("pass", "skipped"))
    assert passed is not None
    assert skipped is not None
    assert int(passed[1]) > 40
    assert int(skipped[1]) == 0


def test_exported_camera_paths_are_read_by_the_decoder(node_run: NodeRun) -> None:
    assert node_run.path_file.exists(), node_run.output
    path = read_camera_path(node_run.path_file)
    assert (path.size, path.fps) == ((64, 48), Fraction(30))
    assert len(path.poses) == 60
    np.testing.assert_allclose(path.poses[-1][:, 3], [2, 4, 4])
    assert path.render_times is not None
    np.testing.assert_allclose(path.render_times[[0, -1]], [0, 0.8 / (29 / 30)])
