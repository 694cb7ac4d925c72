"""Camera paths of the page: smooth between keys, and files that nerfstudio and ``dynerf decode`` read."""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dynerf_decoder.cameras.paths.nerfstudio import read_camera_path
from support.browser import run_module

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.long

KEYS = """const clip = { frames: 30, fps: 30, seconds: 1 }, path = new m.CameraPath(clip);
const { turnAbout } = await import('/web/view/vector.js');
[[0, 0], [1, 0.2], [2, 0.8]].forEach(([at, time]) => {
  const turn = turnAbout([0, 1, 0], at).map((value) => (at === 1 ? -value : value));
  path.add({ position: [at, at * at, 4], turn, fov: 40 + at }, time);
});
path.seconds = 2;"""


def test_paths_pass_through_their_keys_without_detours(modules: "Page") -> None:
    body = KEYS + "return [0, 0.25, 0.5, 1].map((share) => path.at(share))"
    start, between, middle, end = run_module(modules, "view/path", body)
    assert start["position"] == [0, 0, 4]
    assert middle["position"] == pytest.approx([1, 1, 4])
    assert end["position"] == pytest.approx([2, 4, 4])
    assert (start["time"], middle["time"], end["time"]) == pytest.approx((0, 0.2, 0.8))
    # The second key's quaternion has the other sign: the turn must not go the long way round.
    assert abs(between["turn"][1]) == pytest.approx(np.sin(0.25), abs=0.04)
    assert 0 < between["position"][0] < 1


def test_content_can_be_held_or_play_along_a_path(modules: "Page") -> None:
    body = (
        KEYS
        + """const shares = [0, 0.3, 0.75, 1];
    const times = (timing) => { path.timing = timing; return shares.map((share) => path.at(share).time); };
    path.heldAt = 0.5; return [times('held'), times('plays'), path.pictures().length]"""
    )
    held, plays, count = run_module(modules, "view/path", body)
    assert held == [0.5] * 4
    assert plays == pytest.approx([0, 0.6, 0.5, 0])
    assert count == 60


def test_exported_paths_render_elsewhere_and_load_again(modules: "Page", tmp_path: Path) -> None:
    body = (
        KEYS
        + """const { toNerfstudio, fromNerfstudio } = await import('/web/view/nerfstudio.js');
    const file = toNerfstudio(path, { width: 64, height: 48 });
    const dense = { ...file, keyframes: [{ matrix: 'old' }, { matrix: 'old' }] };
    return { file, keys: path.keys, back: fromNerfstudio(JSON.stringify(file), clip),
             dense: fromNerfstudio(JSON.stringify(dense), clip), pictures: path.pictures() };"""
    )
    found = run_module(modules, "view/path", body)
    exported = tmp_path / "path.json"
    exported.write_text(json.dumps(found["file"]))
    read = read_camera_path(exported)
    assert (read.size, read.fps) == ((64, 48), Fraction(30))
    assert len(read.poses) == 60
    np.testing.assert_allclose(read.poses[-1][:, 3], [2, 4, 4])
    assert read.render_times is not None
    np.testing.assert_allclose(read.render_times[[0, -1]], [0, 0.8 / (29 / 30)])
    assert found["back"]["seconds"] == 2
    for ours, back in zip(found["keys"], found["back"]["keys"], strict=True):
        assert back["position"] == pytest.approx(ours["position"])
        assert abs(np.dot(back["turn"], ours["turn"])) == pytest.approx(1)
        assert (back["fov"], back["time"]) == pytest.approx((ours["fov"], ours["time"]))
    assert len(found["dense"]["keys"]) == 60
    assert found["dense"]["keys"][20]["position"] == pytest.approx(found["pictures"][20]["position"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "no JSON"),
        ("null", "no JSON"),
        ("{}", "has 0 cameras"),
        ('{"camera_path": [{"fov": 45}]}', "camera_path[0]: no camera pose"),
        ('{"camera_path": [null]}', "camera_path[0]: no camera pose"),
        (json.dumps({"camera_path": [{"camera_to_world": [9] * 16, "fov": 45}]}), "no camera pose"),
        (
            json.dumps(
                {"camera_path": [{"camera_to_world": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}]}
            ),
            "fov",
        ),
        (json.dumps({"camera_path": [{}] * 3601}), "has 3601 cameras"),
    ],
)
def test_files_that_are_no_paths_are_refused(modules: "Page", text: str, says: str) -> None:
    body = (
        "try { return m.fromNerfstudio(x, { frames: 30, fps: 30 }); } catch (error) { return error.message; }"
    )
    assert says in run_module(modules, "view/nerfstudio", body, text)
