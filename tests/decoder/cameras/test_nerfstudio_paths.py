"""nerfstudio's camera path files: their meaning, and the refusal of malicious ones."""

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.paths import (
    CameraPath,
    Timing,
    default_size,
    parse_view,
    plan_shots,
    plan_timing,
    read_camera_path,
)
from dynerf_format.errors import ViewError

_RIG = [Camera("cam00", 160, 120, 150.0, 150.0, 80.0, 60.0, np.eye(4)[:3])]


def _rotated(degrees: float, x: float = 0.0) -> list[float]:
    """A pose rotated about the vertical axis, 16 numbers row by row."""
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return [c, 0, s, x, 0, 1, 0, 2, -s, 0, c, 3, 0, 0, 0, 1]


def _record(**changes: Any) -> dict[str, Any]:
    """What the viewer's Export button writes, for three pictures; a value of None removes a key."""
    entries = [
        {"camera_to_world": _rotated(30.0 * k, float(k)), "fov": 50.0, "aspect": 4 / 3} for k in range(3)
    ]
    record = {
        "default_fov": 50.0, "keyframes": [{"matrix": "ignored"}], "camera_type": "perspective",
        "render_height": 90, "render_width": 120, "fps": 24, "seconds": 0.125, "is_cycle": False,
        "smoothness_value": 0.0, "camera_path": entries,
    }  # fmt: skip
    record.update(changes)
    return {key: value for key, value in record.items() if value is not None}


def _entry(**changes: Any) -> dict[str, Any]:
    entry = {"camera_to_world": _rotated(0), "fov": 50.0, "aspect": 4 / 3, **changes}
    return {key: value for key, value in entry.items() if value != "absent"}


def _write(folder: Path, content: object) -> Path:
    path = folder / "path.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def _read(folder: Path, content: object) -> CameraPath:
    return read_camera_path(_write(folder, content))


def _shots(path: CameraPath, pictures: int, size: tuple[int, int] | None = None) -> list[Camera]:
    timing = Timing((0.0,) * pictures, Fraction(30))
    return [shot.camera for shot in plan_shots(path, _RIG, timing=timing, size=size)]


def test_an_exported_path_is_followed(tmp_path: Path) -> None:
    view = parse_view(str(_write(tmp_path, _record())), _RIG)
    assert isinstance(view, CameraPath)
    timing = plan_timing(
        30, Fraction(30), frame_range=None, seconds=None, speed=1.0, freeze=None, out_fps=None, view=view
    )
    assert timing == Timing((0.0, 1 / 3, 2 / 3), Fraction(24))
    shots = plan_shots(view, _RIG, timing=timing, size=None)
    assert [shot.time for shot in shots] == [0, 1 / 3, 2 / 3]
    for k, shot in enumerate(shots):
        camera = shot.camera
        assert (camera.width, camera.height, camera.centre_x, camera.centre_y) == (120, 90, 60, 45)
        assert camera.focal_x == camera.focal_y == pytest.approx(45 / np.tan(np.radians(25)))
        expected = np.array(_rotated(30.0 * k, float(k))).reshape(4, 4)[:3]
        np.testing.assert_allclose(camera.camera_to_world, expected, atol=1e-12)


def test_positions_in_map_coordinates_stay_exact(tmp_path: Path) -> None:
    pose = [*_rotated(0)[:3], 500_012.4375, *_rotated(0)[4:7], 4_649_776.25, *_rotated(0)[8:]]
    camera = _shots(_read(tmp_path, _record(camera_path=[_entry(camera_to_world=pose)] * 3)), 3)[1]
    assert camera.origin.tolist() == [500_012.4375, 4_649_776.25, pose[11]]


def test_the_field_of_view_is_vertical(tmp_path: Path) -> None:
    camera = _shots(_read(tmp_path, _record()), 1)[0]
    top = camera.origin + camera.camera_to_world[:, :3] @ np.array([0, np.tan(np.radians(25)), -1])
    np.testing.assert_allclose(camera.project(top[None])[0], [60, 0], atol=1e-9)


def test_the_users_size_overrides_the_files(tmp_path: Path) -> None:
    camera = _shots(_read(tmp_path, _record()), 1, size=(400, 180))[0]
    assert (camera.width, camera.height) == (400, 180)
    assert camera.focal_y == pytest.approx(90 / np.tan(np.radians(25)))


def test_without_a_size_the_rigs_height_and_the_aspect_decide(tmp_path: Path) -> None:
    wide = [_entry(aspect=2.0), _entry(aspect=1.0)]
    path = _read(tmp_path, _record(render_width=None, render_height=None, camera_path=wide))
    assert default_size(path, _RIG) == (240, 120)
    assert (_shots(path, 2)[1].width, _shots(path, 2)[1].height) == (240, 120)
    bare = _read(tmp_path, {"camera_path": [_entry(aspect="absent")]})
    assert default_size(bare, _RIG) == (160, 120)
    assert (bare.fps, bare.size, bare.aspect, bare.render_times) == (None, None, None, None)
    huge = _read(tmp_path, {"camera_path": [_entry(aspect=500)]})
    with pytest.raises(ViewError, match="60000x120 pixels, expected sides of 1 to 8192"):
        _shots(huge, 1)


def test_more_pictures_than_entries_are_interpolated(tmp_path: Path) -> None:
    path = _read(tmp_path, _record())
    five = _shots(path, 5)
    for k, camera in enumerate(five):
        expected = np.array(_rotated(15.0 * k, k / 2)).reshape(4, 4)[:3]
        np.testing.assert_allclose(camera.camera_to_world, expected, atol=1e-12)
    assert [camera.origin[0] for camera in _shots(path, 2)] == [0, 2]
    rotations = np.stack([camera.camera_to_world[:, :3] for camera in _shots(path, 50)])
    np.testing.assert_allclose(
        np.swapaxes(rotations, 1, 2) @ rotations, np.tile(np.eye(3), (50, 1, 1)), atol=1e-12
    )


def test_render_times_count_only_when_all_entries_have_them(tmp_path: Path) -> None:
    timed = [_entry(render_time=0.0), _entry(render_time=1), _entry(render_time=0.5)]
    times = _read(tmp_path, _record(camera_path=timed)).render_times
    assert times is not None
    assert times.tolist() == [0, 1, 0.5]
    assert _read(tmp_path, _record(camera_path=[*timed, _entry()])).render_times is None


@pytest.mark.parametrize(
    ("rate", "fps"), [(24, Fraction(24)), (29.97, Fraction(2997, 100)), (0.5, Fraction(1, 2))]
)
def test_the_files_rate_is_exact(tmp_path: Path, rate: float, fps: Fraction) -> None:
    assert _read(tmp_path, _record(fps=rate)).fps == fps


def test_rounded_rotations_are_made_exact(tmp_path: Path) -> None:
    rounded = [round(value, 3) for value in _rotated(33.0)]
    rotation = _read(tmp_path, _record(camera_path=[_entry(camera_to_world=rounded)])).poses[0, :, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert len(_read(tmp_path, b"\xef\xbb\xbf" + json.dumps(_record()).encode()).poses) == 3


_MIRRORED = [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
_SCALED = [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
_COLUMNS = [
    1,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    1,
    0,
    5,
    6,
    7,
    1,
]  # column by column: the position is in the last row


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_to_world": "absent"}, "camera_to_world is missing, expected 16 numbers"),
        ({"camera_to_world": None}, "camera_to_world is missing"),
        ({"camera_to_world": [0.0] * 15}, "camera_to_world is a list of 15, expected 16 numbers"),
        ({"camera_to_world": [[1, 0, 0, 0]] * 4}, "camera_to_world is a list of 4"),
        ({"camera_to_world": ["1"] * 16}, "camera_to_world is '1', expected a number"),
        ({"camera_to_world": [True, *_rotated(0)[1:]]}, "camera_to_world is True, expected a number"),
        ({"camera_to_world": [0.0] * 16}, "last row is not 0 0 0 1"),
        ({"camera_to_world": _COLUMNS}, "last row is not 0 0 0 1; are columns and rows swapped"),
        ({"camera_to_world": _MIRRORED}, "mirrors the world"),
        ({"camera_to_world": _SCALED}, "not a rotation"),
        ({"camera_to_world": [0.0] * 15 + [1]}, "not a rotation"),
        ({"camera_to_world": [1e5, *_rotated(0)[1:]]}, "not a rotation"),
        (
            {"camera_to_world": [*_rotated(0)[:3], 1e10, *_rotated(0)[4:]]},
            "camera_to_world is 10000000000.0, expected",
        ),
        ({"camera_to_world": [10**400, *_rotated(0)[1:]]}, "camera_to_world is 1000"),
        ({"fov": "absent"}, "fov is missing"),
        ({"fov": 0}, "fov is 0, expected a number from 0.001 to 179.999"),
        ({"fov": 180}, "fov is 180"),
        ({"fov": -50.0}, "fov is -50.0"),
        ({"fov": "50"}, "fov is '50'"),
        ({"fov": [50]}, "fov is a list of 1"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    record = _record(camera_path=[_entry(), _entry(), _entry(**changes), _entry()])
    with pytest.raises(ViewError, match=message) as caught:
        _read(tmp_path, record)
    assert str(caught.value).startswith(f"{tmp_path / 'path.json'}: camera_path[2]: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_path": None}, "camera_path is missing, expected a list of at least one camera"),
        ({"camera_path": []}, "camera_path is a list of 0"),
        ({"camera_path": {"0": _entry()}}, "camera_path is an object of 1"),
        ({"camera_path": [_entry(), 7]}, r"camera_path\[1\]: 7, expected an object"),
        ({"camera_type": "equirectangular"}, "camera_type 'equirectangular', supported is only perspective"),
        ({"camera_type": "fisheye"}, "supported is only perspective"),
        ({"camera_type": 3}, "camera_type 3"),
        ({"render_width": None}, "render_width is missing"),
        ({"render_height": None}, "render_height is missing"),
        ({"render_width": 0}, "render_width is 0, expected a number from 1 to 8192"),
        ({"render_height": 1e9}, "render_height is 1000000000.0"),
        ({"render_height": 90.5}, "120x90.5, expected whole pixels"),
        ({"render_width": "120"}, "render_width is '120'"),
        ({"fps": 0}, "fps is 0, expected a number from 1e-05 to 1000"),
        ({"fps": -24}, "fps is -24"),
        ({"fps": 1e9}, "fps is 1000000000.0"),
        ({"fps": "24"}, "fps is '24'"),
        ({"camera_path": [_entry(render_time=0), _entry(render_time=1.5)]}, r"\[1\]: render_time is 1.5"),
        ({"camera_path": [_entry(render_time=-0.1)]}, r"\[0\]: render_time is -0.1"),
        ({"camera_path": [_entry(render_time="0")]}, r"\[0\]: render_time is '0'"),
        ({"camera_path": [_entry(aspect=0)]}, r"\[0\]: aspect is 0"),
        ({"camera_path": [_entry(aspect="wide")]}, r"\[0\]: aspect is 'wide'"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ViewError, match=message) as caught:
        _read(tmp_path, _record(**changes))
    assert str(caught.value).startswith(str(tmp_path / "path.json"))
    assert len(str(caught.value)) < len(str(tmp_path)) + 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b'{"camera_path": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"camera_path": [{"fov": NaN}]}', "is not JSON: NaN is not a number"),
        (b'{"camera_path": [{"fov": -Infinity}]}', "is not JSON: -Infinity is not a number"),
        (b'{"camera_path": [{}], "camera_type": 1e999}', "camera_type inf, supported"),
        (b"[1, 2]", "a list of 2, expected an object"),
        (b'"camera_path"', "'camera_path', expected an object"),
        (b"null", "missing, expected an object"),
        (b" " * (2**24 + 1), "more than 16777216 bytes"),
    ],
    ids=range(12),
)
def test_files_that_are_not_camera_paths_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ViewError, match=message) as caught:
        _read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_paths_that_are_not_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ViewError, match=r"none\.json: does not exist"):
        parse_view(str(tmp_path / "none.json"), _RIG)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ViewError, match="is not a file"):
        read_camera_path(tmp_path / "folder.json")
    os.mkfifo(tmp_path / "pipe.json")  # reading it would block forever
    with pytest.raises(ViewError, match="is not a file"):
        read_camera_path(tmp_path / "pipe.json")
    with pytest.raises(ViewError, match="cannot be read: File name too long"):
        parse_view("a" * 5000 + ".json", _RIG)
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    with pytest.raises(ViewError, match=r"loop\.json"):
        read_camera_path(tmp_path / "loop.json")
