"""Cameras written in another layout are read as the same cameras, to the bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynerf.cli.main import main
from dynerf_encoder.captures.layouts.capture_json import write_capture_json
from dynerf_encoder.captures.layouts.convert import WRITERS, convert
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_format.errors import CaptureError, ConfigError, OutputError
from support.layouts import write_pictures
from support.lenses import make_lens
from support.video import example_pose, flat_pictures, noisy_pictures, write_capture, write_video

_LAYOUTS = {"llff": "n3v", "nerfstudio": "nerfstudio", "colmap": "colmap", "capture": "capture"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A capture of three cameras in the layout of N3V."""
    return write_capture(tmp_path / "scene")


def _convert(path: Path, to: str, folder: Path, layout: str | None = None) -> tuple[Path, ...]:
    recording = read_recording(path, layout)
    return convert(recording, open_capture(recording), to, folder)


def _distorted(folder: Path) -> Path:
    """A capture of pictures with distortion, described by ``capture.json``."""
    names = ("cam00", "cam01", "cam02")
    pictures = {name: noisy_pictures(3, 32, 24, seed) for seed, name in enumerate(names)}
    write_pictures(folder, pictures, "images/{camera}/{frame:04}.png")
    lens = make_lens(32, 24, 40, 41, 16.25, 11.5, "OPENCV", (0.01, -0.02, 0.001, 0.002))
    cameras = tuple(
        RecordedCamera(name, folder / "images" / name, lens, example_pose(index), 0.5, 8.0)
        for index, name in enumerate(names)
    )
    recording = Recording(folder / "capture.json", "capture.json", cameras)
    write_capture_json(checked_recording(recording), folder / "capture.json")
    return folder


class TestRoundTrips:
    @pytest.mark.parametrize("to", WRITERS)
    def test_videos(self, folder: Path, to: str) -> None:
        expected = read_recording(folder)
        if to == "llff":  # from another layout, because existing files stay
            _convert(folder, "capture", folder)
            (folder / "poses_bounds.npy").unlink()
        _convert(folder, to, folder)
        _check_same(read_recording(folder, _LAYOUTS[to]), expected, depths=to != "colmap")

    @pytest.mark.parametrize("to", ["nerfstudio", "colmap"])
    def test_pictures_with_distortion(self, tmp_path: Path, to: str) -> None:
        folder = _distorted(tmp_path)
        _convert(folder, to, folder)
        found, expected = read_recording(folder, to), read_recording(folder, "capture")
        _check_same(found, expected, depths=to == "nerfstudio")
        pairs = zip(open_capture(found).views, open_capture(expected).views, strict=True)
        for one, other in pairs:
            for picture, truth in zip(one.decode(range(3)), other.decode(range(3)), strict=True):
                np.testing.assert_array_equal(picture, truth)

    def test_offsets_survive_in_transforms(self, folder: Path) -> None:
        recording = read_recording(folder)
        moved = tuple(
            replace(camera, offset=camera.offset + index)
            for index, camera in enumerate(recording.cameras)
            if camera.offset is not None
        )
        recording = replace(recording, cameras=moved, timed_by_offsets=True)
        convert(recording, open_capture(recording), "nerfstudio", folder)
        found = read_recording(folder, "nerfstudio")
        assert found.timed_by_offsets
        assert [camera.offset for camera in found.cameras] == [0, 1, 2]
        for to in ("llff", "colmap"):
            (folder / "poses_bounds.npy").unlink(missing_ok=True)
            with pytest.raises(
                CaptureError, match=r"cameras have offsets, which .* cannot state; cut the videos"
            ):
                convert(recording, open_capture(recording), to, folder)


def _check_same(found: Recording, expected: Recording, *, depths: bool) -> None:
    assert found.names == expected.names
    for one, other in zip(found.cameras, expected.cameras, strict=True):
        assert one.camera_to_world.tobytes() == other.camera_to_world.tobytes()
        assert one.lens == other.lens
        if depths:
            assert (one.near, one.far) == (other.near, other.far)


def test_rows_of_llff_are_in_the_order_of_the_videos(folder: Path) -> None:
    expected = read_recording(folder)
    names = ("c", "b", "a")
    renamed = tuple(replace(camera, name=name) for camera, name in zip(expected.cameras, names, strict=True))
    recording = checked_recording(replace(expected, cameras=renamed))
    (folder / "poses_bounds.npy").unlink()
    convert(recording, open_capture(recording), "llff", folder)
    _check_same(read_recording(folder), expected, depths=True)


def test_single_pictures_of_one_instant(tmp_path: Path) -> None:
    folder = _distorted(tmp_path)
    for picture in [*folder.glob("images/*/0001.png"), *folder.glob("images/*/0002.png")]:
        picture.unlink()
    _convert(folder, "nerfstudio", folder)
    _check_same(read_recording(folder, "nerfstudio"), read_recording(folder, "capture"), depths=True)
    text = (folder / "transforms.json").read_text()
    (folder / "transforms.json").write_text(text.replace('"time": 0.0', '"x_time": 0.0'))
    with pytest.raises(CaptureError, match="3 pictures of 3 different poses"):
        read_recording(folder, "nerfstudio")


def test_that_colmap_states_no_depths_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(folder), "--to", "nerfstudio"]) == 0
    assert "depths" not in capsys.readouterr().err
    assert main(["convert", str(folder), "--to", "colmap", "--layout", "n3v"]) == 0
    assert "near and far depths are not stated" in capsys.readouterr().err


def test_llff_states_the_size_of_each_video(folder: Path) -> None:
    write_video(folder / "cam02.mp4", flat_pictures(6, 64, 48))
    _convert(folder, "capture", folder)
    expected = read_recording(folder, "n3v")
    (folder / "poses_bounds.npy").unlink()
    _convert(folder, "llff", folder, "capture")
    rows = np.load(folder / "poses_bounds.npy")[:, :15].reshape(3, 3, 5)
    assert rows[:, :, 4].tolist() == [[24, 32, 40], [48, 64, 80], [24, 32, 40]]
    for one, other in zip(read_recording(folder, "n3v").cameras, expected.cameras, strict=True):
        assert one.camera_to_world.tobytes() == other.camera_to_world.tobytes()


class TestRefused:
    def test_llff_cannot_state_distortion(self, tmp_path: Path) -> None:
        folder = _distorted(tmp_path)
        with pytest.raises(CaptureError, match="cam00: has a OPENCV lens; LLFF states no distortion"):
            _convert(folder, "llff", folder)

    def test_llff_cannot_state_an_off_centre_principal_point(self, folder: Path) -> None:
        recording = read_recording(folder)
        lens = replace(recording.cameras[0].lens, centre_x=15.0)
        changed = replace(
            recording, cameras=(replace(recording.cameras[0], lens=lens), *recording.cameras[1:])
        )
        (folder / "poses_bounds.npy").unlink()
        with pytest.raises(CaptureError, match="principal point is 1 pixels from the middle"):
            convert(changed, open_capture(changed), "llff", folder)

    def test_llff_needs_every_video_of_the_folder(self, folder: Path) -> None:
        recording = read_recording(folder)
        fewer = replace(recording, cameras=recording.cameras[:2])
        (folder / "poses_bounds.npy").unlink()
        with pytest.raises(CaptureError, match="cam05 are not cameras of the capture"):
            convert(fewer, open_capture(fewer), "llff", folder)

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ("same names", "images cam00.png and cam00.png of cam00 have different poses"),
            ("in folders", "belongs to no video or folder of pictures"),
            ("late", r"cam00 \(cam00\.mp4\) starts at frame 2, expected 0"),
        ],
    )
    def test_what_would_be_read_as_other_cameras_is_removed(
        self, folder: Path, fault: str, message: str
    ) -> None:
        recording = read_recording(folder)
        (folder / "poses_bounds.npy").unlink()
        cameras = list(recording.cameras)
        if fault == "late":  # by the file's times, which offsets of the capture replace
            write_video(folder / "cam02.mp4", flat_pictures(6), times=range(2, 8))
        else:
            for number, camera in enumerate(cameras if fault == "in folders" else cameras[1:2]):
                moved = folder / f"folder{number}" / ("video.mp4" if fault == "in folders" else "cam00.mp4")
                moved.parent.mkdir()
                camera.source.rename(moved)
                cameras[cameras.index(camera)] = replace(camera, source=moved)
        recording = replace(recording, cameras=tuple(cameras), timed_by_offsets=True)
        before = sorted(folder.rglob("*"))
        with pytest.raises(CaptureError, match=f"cannot be stated as colmap, .*: .*{message}"):
            convert(recording, open_capture(recording), "colmap", folder)
        assert sorted(folder.rglob("*")) == before

    def test_existing_files_are_not_replaced(self, folder: Path) -> None:
        _convert(folder, "nerfstudio", folder)
        before = (folder / "transforms.json").read_bytes()
        with pytest.raises(OutputError, match=r"transforms\.json: exists already"):
            _convert(folder, "nerfstudio", folder, "n3v")
        assert (folder / "transforms.json").read_bytes() == before

    def test_a_folder_without_the_videos_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        with pytest.raises(CaptureError, match="expected the description beside the videos or above them"):
            _convert(folder, "colmap", tmp_path / "elsewhere")
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_an_unknown_layout(self, folder: Path) -> None:
        with pytest.raises(
            ConfigError, match="--to blender: expected one of llff, nerfstudio, colmap, capture"
        ):
            _convert(folder, "blender", folder)
