"""Parsing of VIEW and size, and the shots of a fixed camera."""

from fractions import Fraction

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.paths import RigPath, Shot, Still, Timing, parse_size, parse_view, plan_shots
from dynerf_format.errors import ViewError


def _camera(name: str, x: float = 0.0) -> Camera:
    pose = np.eye(3, 4)
    pose[0, 3] = x
    return Camera(name, 256, 192, 150.0, 150.0, 128.0, 96.0, pose)


def _rig(count: int) -> list[Camera]:
    """Cameras side by side, named cam00 and so on."""
    return [_camera(f"cam{index:02d}", float(index)) for index in range(count)]


def _timing(pictures: int) -> Timing:
    return Timing(tuple(k / 30 for k in range(pictures)), Fraction(30))


@pytest.mark.parametrize("text", ["cam03", "still:cam03"])
def test_a_cameras_name_selects_that_camera_fixed(text: str) -> None:
    cameras = _rig(13)
    view = parse_view(text, cameras)
    assert isinstance(view, Still)
    assert plan_shots(view, cameras, timing=_timing(3), size=None) == [
        Shot(cameras[3], 0.0), Shot(cameras[3], 1 / 30), Shot(cameras[3], 2 / 30)
    ]  # fmt: skip
    larger = plan_shots(view, cameras, timing=_timing(2), size=(512, 384))[1].camera
    assert (larger.width, larger.height) == (512, 384)
    assert larger.focal_x == pytest.approx(2 * cameras[3].focal_x)


def test_still_selects_a_camera_that_has_the_name_of_a_path() -> None:
    cameras = [_camera("orbit")]
    assert parse_view("orbit", cameras) == RigPath("orbit")
    still = parse_view("still:orbit", cameras)
    assert isinstance(still, Still)
    assert still.camera is cameras[0]


@pytest.mark.parametrize("text", ["cam99", "", "Spiral", "still:", "still:spiral", "still:still:cam00", "0"])
def test_an_unknown_view_is_refused_with_a_list_of_choices(text: str) -> None:
    with pytest.raises(ViewError) as caught:
        parse_view(text, _rig(13))
    message = str(caught.value)
    assert "\n" not in message
    for word in (repr(text), "cam00", "cam12", "spiral", "orbit", ".json"):
        assert word in message


def test_a_long_list_of_cameras_is_cut() -> None:
    cameras = [_camera(f"view{index}") for index in range(60)]
    with pytest.raises(ViewError, match=r"view39 and 20 more\)"):
        parse_view("cam00", cameras)


@pytest.mark.parametrize(("text", "size"), [("1280x720", (1280, 720)), (" 1X8192 ", (1, 8192))])
def test_sizes_are_width_by_height(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "12", "0x10", "10x0", "8193x1", "-4x4", "4x4x4", "4.0x4", "1e3x4", "٤x٤", "999999x1"]
)
def test_impossible_sizes_are_refused(text: str) -> None:
    with pytest.raises(ViewError, match="size"):
        parse_size(text)


@pytest.mark.parametrize("size", [(0, 10), (10, 8193), (-1, 5)])
def test_shots_cannot_have_an_impossible_size(size: tuple[int, int]) -> None:
    cameras = _rig(13)
    with pytest.raises(ViewError, match="expected sides of 1 to 8192"):
        plan_shots(parse_view("cam00", cameras), cameras, timing=_timing(1), size=size)
