"""``dynerf decode``: its output compared with what the library renders."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import dynerf
from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.render.depth_colours import depth_image
from support.command import FRAMES, HEIGHT, WIDTH, done, listing, numbered, pictures, refused


def _render(clip: Path, name: str, frame: float, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    with dynerf.open(clip, device="cpu") as opened:
        camera = next(camera for camera in opened.cameras if camera.name == name)
        return opened.render(camera.with_size(*size), frame=float(frame)).numpy()


def _decode(clip: Path, out: Path, *more: object) -> np.ndarray:
    done("decode", clip, "-o", out / "p_%03d.png", *more)
    return numbered(out)


@pytest.mark.parametrize("view", ["cam02", "still:cam02"])
def test_pictures_are_exactly_what_the_library_renders(clip: Path, out: Path, view: str) -> None:
    shown = _decode(clip, out, "--view", view, "--frames", "1:4")
    assert listing(out) == ["p_000.png", "p_001.png", "p_002.png"]
    assert np.array_equal(shown, np.stack([_render(clip, "cam02", frame) for frame in (1, 2, 3)]))


def test_without_options_the_whole_clip_of_the_first_camera_is_shown(clip: Path, out: Path) -> None:
    shown = _decode(clip, out)
    assert np.array_equal(shown, np.stack([_render(clip, "cam00", frame) for frame in range(FRAMES)]))


def test_a_video_shows_every_frame_once(clip: Path, out: Path) -> None:
    ran = done("decode", clip, "-o", out / "a.mp4", "--view", "cam02")
    assert ran.out == ""
    assert "6 frames of 32x24 at 30 fps" in ran.err
    shown = pictures(out / "a.mp4")
    rendered = np.stack([_render(clip, "cam02", frame) for frame in range(FRAMES)])
    assert shown.shape == rendered.shape
    # 4:2:0 and quantisation: a few levels on average.
    assert np.abs(shown.astype(int) - rendered).mean() < 4
    assert listing(out) == ["a.mp4"]


@pytest.mark.parametrize(
    ("options", "count", "fps"),
    [
        ("--speed 0.25", 24, Fraction(30)),
        ("--speed 2", 3, Fraction(30)),
        ("--fps 60", 12, Fraction(60)),
        pytest.param("--fps 30000/1001", 6, Fraction(30000, 1001)),
        pytest.param("--frames 2:", 4, Fraction(30)),
        ("--frames :1", 1, Fraction(30)),
        ("--time 0.05:0.15", 3, Fraction(30)),
        ("--time 0.1:0.2 --speed 0.1 --view spiral", 30, Fraction(30)),
        ("--freeze 0.1", 120, Fraction(30)),
        ("--freeze 0.1 --time 0:0.1 --view orbit", 3, Fraction(30)),
        ("--freeze 0 --fps 2 --view orbit", 8, Fraction(2)),
    ],
)
def test_a_video_is_as_long_as_its_content(
    clip: Path, out: Path, options: str, count: int, fps: Fraction
) -> None:
    done("decode", clip, "-o", out / "a.mp4", "--size", "16x12", *options.split())
    with av.open(str(out / "a.mp4")) as movie:
        stream = movie.streams.video[0]
        assert stream.frames == count
        assert stream.average_rate == fps
        assert sum(1 for _ in movie.decode(stream)) == count


def test_slow_motion_interpolates_between_the_frames(clip: Path, out: Path) -> None:
    slow = _decode(clip, out, "--view", "cam05", "--speed", "0.5")
    assert np.array_equal(slow[::2], np.stack([_render(clip, "cam05", frame) for frame in range(FRAMES)]))
    # The scene gets brighter steadily, so interpolated frames must, too.
    levels = slow[: 2 * FRAMES - 1].mean(axis=(1, 2, 3))
    assert np.diff(levels).min() > 1
    assert np.array_equal(slow[5], _render(clip, "cam05", 2.5))


def test_frozen_content_stands_still_while_the_view_moves(clip: Path, out: Path, tmp_path: Path) -> None:
    still = _decode(clip, out, "--view", "cam02", "--freeze", "0.05", "--fps", "1")
    assert np.array_equal(still, np.stack([_render(clip, "cam02", 1.5)] * 4))
    moving = tmp_path / "moving"
    moving.mkdir()
    spiral = _decode(clip, moving, "--view", "spiral", "--freeze", "0.05", "--fps", "2")
    assert len({picture.tobytes() for picture in spiral}) == 8
    brightness = spiral.mean(axis=(1, 2, 3))
    assert np.ptp(brightness) < 20  # a frame more is 9 levels brighter, and the clip spans 50


def test_depth_is_coloured_from_red_where_near_to_blue(clip: Path, out: Path) -> None:
    shown = _decode(clip, out, "--view", "cam02", "--frames", "3:4", "--depth")[0]
    with dynerf.open(clip, device="cpu") as opened:
        depth = opened.render(opened.cameras[1], frame=3.0).depth
        nearest, farthest = opened.depth_range()
    assert 0 < nearest <= depth.min()
    assert depth.max() <= farthest * 1.001
    assert np.array_equal(shown, depth_image(depth, nearest, farthest))
    assert np.ptp(shown) > 0


def test_colours_of_depth_use_the_logarithm_of_the_distance() -> None:
    colours = depth_image(torch.tensor([[0.0, 1.0, 4.0, 10.0, 25.0, 100.0]]), 1.0, 100.0)[0].astype(int)
    nothing, near, *middle, far = colours
    assert not nothing.any()
    assert near[0] > 2 * near[1:].max()
    assert middle[1][1] > middle[1][[0, 2]].max()  # green is half way
    assert (np.diff([blue - red for red, _, blue in middle]) > 100).all()
    assert 0 < far.max() < 64


def test_depth_is_black_where_there_is_nothing(clip: Path, out: Path) -> None:
    facing_away = _pose(np.diag([1.0, 1, 1]), (1000, 0, 0))
    path = _path_file(out / "path.json", [facing_away])
    assert _decode(clip, out, "--view", path, "--depth").max() == 0


def _pose(rotation: np.ndarray, centre: tuple[float, float, float]) -> list[float]:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, centre
    return [float(number) for number in matrix.reshape(-1)]


def _path_file(path: Path, poses: list[list[float]], **more: object) -> Path:
    """A camera path as nerfstudio's viewer writes it; values in ``more`` that are lists go to the entries."""
    entries = [{"camera_to_world": pose, "fov": 50.0, "aspect": WIDTH / HEIGHT} for pose in poses]
    lists = {key: value for key, value in more.items() if isinstance(value, list)}
    for index, entry in enumerate(entries):
        entry |= {key: values[index] for key, values in lists.items()}
    record = {"camera_type": "perspective", "camera_path": entries, "keyframes": [], "seconds": 1}
    path.write_text(json.dumps(record | {key: more[key] for key in more.keys() - lists.keys()}))
    return path


def test_a_camera_path_with_render_times_is_followed(clip: Path, out: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        cameras = opened.cameras
        poses = [
            _pose(camera.camera_to_world[:, :3], tuple(camera.camera_to_world[:, 3])) for camera in cameras
        ]
        path = _path_file(
            out / "path.json", poses, render_time=[0.0, 0.5, 1.0], fov=[40.0, 40.0, 60.0], fps=3,
            render_width=30, render_height=20,
        )  # fmt: skip
        shown = _decode(clip, out, "--view", path)
        expected = [
            opened.render(_with_lens(camera, 30, 20, fov), frame=time * (FRAMES - 1)).numpy()
            for camera, time, fov in zip(cameras, (0.0, 0.5, 1.0), (40, 40, 60), strict=True)
        ]
    # Up to rounding: the poses were orthonormalised by a polar decomposition.
    assert np.abs(shown.astype(int) - np.stack(expected)).max() <= 1


def _with_lens(camera: Camera, width: int, height: int, fov: float) -> Camera:
    focal = height / 2 / np.tan(np.radians(fov) / 2)
    lens = {"focal_x": focal, "focal_y": focal, "centre_x": width / 2, "centre_y": height / 2}
    return replace(camera, width=width, height=height, **lens)


def test_a_bad_camera_path_is_named(clip: Path, out: Path) -> None:
    path = _path_file(out / "path.json", [_pose(2 * np.eye(3), (0, 0, 3))])
    movie = out / "a.mp4"
    line = refused("decode", clip, "-o", movie, "--view", path, folder=out)
    assert f"error: {path}: camera_path[0]: camera_to_world: upper left 3x3 is not a rotation" in line
    path.write_text("{")
    assert f"error: {path}: is not JSON" in refused("decode", clip, "-o", movie, "--view", path, folder=out)


def test_odd_sizes_are_exact_in_images_and_one_pixel_larger_in_videos(clip: Path, out: Path) -> None:
    shown = _decode(clip, out, "--view", "cam02", "--frames", "0:1", "--size", "33x21")
    assert np.array_equal(shown[0], _render(clip, "cam02", 0, (33, 21)))
    done("decode", clip, "-o", out / "a.mp4", "--view", "cam02", "--frames", "0:1", "--size", "33x21")
    movie = pictures(out / "a.mp4")
    assert movie.shape == (1, 22, 34, 3)
    assert np.abs(movie[0, :21, :33].astype(int) - shown[0]).mean() < 6
    done("decode", clip, "-o", out / "b.mp4", "--frames", "0:1", "--size", "1x1")
    assert pictures(out / "b.mp4").shape == (1, 2, 2, 3)


def test_unusual_file_names(clip: Path, out: Path) -> None:
    copy = out / "a clip: ü%.dnv"
    copy.write_bytes(clip.read_bytes())
    done("decode", copy, "-o", out / "-o ü:2.MP4", "--frames", "0:2")
    assert len(pictures(out / "-o ü:2.MP4")) == 2


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--view", "cam99"), "view 'cam99': there is no such view, expected a camera (cam00, cam02, cam05)"),
        (("--view", ""), "view '': there is no such view"),
        (("--view", "still:orbit"), "view 'still:orbit': there is no such view"),
        (("--frames", "0:7"), "frames 0:7: expected a part of 0:6"),
        (("--frames", "3:3"), "frames 3:3: empty, expected A:B"),
        (("--frames", "5:2"), "frames 5:2: empty, expected A:B"),
        (("--frames", "-1:3"), "frames '-1:3': expected A:B"),
        (("--frames", "3"), "frames '3': expected A:B"),
        (("--frames", f"0:{'9' * 5000}"), "expected A:B"),
        (("--time", "0:9"), "seconds 0:9: expected a part of 0:0.2"),
        (("--time", "-1:0.1"), "seconds -1:0.1: expected a part of 0:0.2"),
        (("--time", "0.1:0.1"), "seconds 0.1:0.1: expected a part of 0:0.2"),
        (("--time", "0:inf"), "stop second inf: expected a finite number"),
        (("--time", "1"), "--time 1: expected START:STOP in seconds"),
        (("--freeze", "9"), "freeze at 9 s: expected 0 to 0.166"),
        (("--freeze", "-1"), "freeze at -1 s: expected 0 to 0.166"),
        (("--freeze", "0.1", "--speed", "0.5"), "expected only one of them"),
        (("--speed", "0"), "speed 0: expected more than 0"),
        (("--speed", "-1"), "speed -1: expected more than 0"),
        (("--speed", "1e-300"), "more pictures requested than can be rendered"),
        (("--size", "0x0"), "size: 0x0 pixels, expected sides of 1 to 8192"),
        (("--size", "0x24"), "size: 0x24 pixels, expected sides of 1 to 8192"),
        (("--size", "99999x99999"), "size: 99999x99999 pixels, expected sides of 1 to 8192"),
        (("--size", "9999999x1"), "size '9999999x1': expected WIDTHxHEIGHT"),
        (("--size", "big"), "size 'big': expected WIDTHxHEIGHT"),
    ],
)
def test_what_the_clip_cannot_show_is_refused_with_its_name(
    clip: Path, out: Path, options: tuple[str, ...], found: str
) -> None:
    line = refused("decode", clip, "-o", out / "a.mp4", *options, folder=out)
    assert f"{clip}: {found}" in line or (f"{clip}: " in line and found in line)
    assert len(line) < 400


@pytest.mark.parametrize("fps", ["0", "-3", "fast", "1/0", "nan", "1e99999999", "100000"])
def test_an_invalid_frame_rate_is_refused(clip: Path, out: Path, fps: str) -> None:
    line = refused("decode", clip, "-o", out / "a.mp4", "--fps", fps, folder=out)
    assert fps in line
    assert "expected" in line


def test_a_view_outside_the_viewing_volume_is_reported(clip: Path, out: Path) -> None:
    inside = done("decode", clip, "-o", out / "a_%d.png", "--view", "cam02", "--frames", "0:1")
    assert "viewing volume" not in inside.err
    away = done("decode", clip, "-o", out / "b_%d.png", "--view", "orbit")
    assert "the view leaves the cameras' viewing volume by up to" in away.err
