"""The same clip from every layout; distorted pictures give the quality of undistorted ones."""

import os
from pathlib import Path

import numpy as np
import pytest

import dynerf
from dynerf_encoder.captures.layouts.capture_json import write_capture_json
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from support import layouts
from support.command import TINY, done, refused, write_scene
from support.lenses import make_lens
from support.video import ROOT, write_video

CANDLE = ROOT / "samples" / "candle"
_WALKER = os.environ.get("DYNERF_WALKER")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny capture in the layout of N3V."""
    return write_scene(tmp_path_factory.mktemp("layouts") / "scene")


def _encoded(capture: Path, output: Path, *more: object) -> bytes:
    done("encode", capture, "-o", output, "--depths", "0.5:8", *more, *TINY)
    return output.read_bytes()


def test_a_converted_capture_gives_the_same_clip_to_the_bit(scene: Path, tmp_path: Path) -> None:
    expected = _encoded(scene, tmp_path / "n3v.dnv")
    for name in ("nerfstudio", "colmap", "capture"):
        done("convert", scene, "--layout", "n3v", "--to", name)
        assert _encoded(scene, tmp_path / f"{name}.dnv", "--layout", name) == expected


def test_the_command_states_what_it_read_and_eval_finds_it_again(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    folder.mkdir()
    for video in scene.glob("*.mp4"):
        (folder / video.name).symlink_to(video)
    layouts.immersive(
        folder,
        layouts.rig_of_rows(
            [video.stem for video in sorted(scene.glob("*.mp4"))], np.load(scene / "poses_bounds.npy")
        ),
    )
    ran = done("encode", folder, "-o", tmp_path / "a.dnv", *TINY)
    assert "read as immersive (models.json)" in ran.err
    assert "no depths stated" in ran.err
    assert "2 training cameras" in ran.err
    assert '"psnr"' in done("eval", tmp_path / "a.dnv", folder, "--json").out


def test_a_folder_without_poses_names_the_command_that_finds_them(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for video in scene.glob("*.mp4"):
        (folder / video.name).symlink_to(video)
    line = refused("encode", folder, "-o", tmp_path / "a.dnv", folder=tmp_path)
    assert f"3 cameras and no poses: run dynerf calibrate {folder}" in line


@pytest.mark.extensive
@pytest.mark.timeout(3600)
def test_a_distorted_capture_is_as_good_as_one_of_a_pinhole_camera(tmp_path: Path) -> None:
    lenses = {
        "pinhole": make_lens(256, 192, 285, 285, 128, 96),
        "opencv": make_lens(256, 192, 285, 288, 130, 95, "OPENCV", (-0.12, 0.03, 0.002, -0.001)),
        "fisheye": make_lens(256, 192, 285, 285, 126.5, 97, "OPENCV_FISHEYE", (0.02, -0.01, 0.0, 0.0)),
    }
    scores = {}
    for name, lens in lenses.items():
        folder = tmp_path / name
        folder.mkdir()
        _write_copy(folder, lens)
        result = dynerf.encode(
            folder, tmp_path / f"{name}.dnv", downscale=2, preset="preview", device="cpu",
            settings=["schedule.scale=0.3"],
        )  # fmt: skip
        scores[name] = result.psnr or 0.0
    assert scores["opencv"] > scores["pinhole"] - 0.2
    assert scores["fisheye"] > scores["pinhole"] - 0.2


def _write_copy(folder: Path, lens: Lens) -> None:
    """Candle as filmed by cameras with a lens, whose pictures lie within candle's."""
    rows, columns = np.divmod(np.arange(lens.width * lens.height), lens.width)
    directions = lens.directions(np.stack([columns + 0.5, rows + 0.5], axis=-1))
    cameras = []
    for view in read_capture(CANDLE).views:
        camera = view.camera
        u = camera.focal_x * directions[:, 0] / directions[:, 2] + camera.centre_x - 0.5
        v = camera.focal_y * directions[:, 1] / directions[:, 2] + camera.centre_y - 0.5
        left, top = np.floor(u).astype(int), np.floor(v).astype(int)
        assert left.min() >= 0 and left.max() < camera.width - 1
        assert top.min() >= 0 and top.max() < camera.height - 1
        across, down = (u - left)[:, None], (v - top)[:, None]
        pictures = []
        for picture in view.decode(range(30)):
            upper = picture[top, left] * (1 - across) + picture[top, left + 1] * across
            lower = picture[top + 1, left] * (1 - across) + picture[top + 1, left + 1] * across
            mixed = np.round(upper * (1 - down) + lower * down).astype(np.uint8)
            pictures.append(mixed.reshape(lens.height, lens.width, 3))
        video = write_video(folder / f"{view.name}.mp4", np.stack(pictures), pixel_format="yuv444p")
        cameras.append(RecordedCamera(view.name, video, lens, camera.camera_to_world, view.near, view.far))
    recording = Recording(folder / "capture.json", "capture.json", tuple(cameras))
    write_capture_json(checked_recording(recording), folder / "capture.json")


@pytest.mark.skipif(_WALKER is None, reason="DYNERF_WALKER names no folder with the capture")
@pytest.mark.extensive
def test_a_real_capture_with_cropped_videos_is_read_and_encoded(tmp_path: Path) -> None:
    ran = done(
        "encode", Path(_WALKER or ""), "-o", tmp_path / "walker.dnv", "--hold-out", "none", "--frames", "0:4",
        "--downscale", 8, *TINY,
    )  # fmt: skip
    assert "cam01, cam02: 1080x1920, calibrated as 1088x1920: taken as cropped equally" in ran.err
    assert dynerf.open(tmp_path / "walker.dnv", device="cpu").frames == 4
