"""Reading captures: geometry, frame ranges, and all kinds of invalid folders."""

import json
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.recording import RecordedCamera
from dynerf_encoder.captures.video import decode, probe
from dynerf_format.errors import CaptureError, ConfigError, ViewError
from dynerf_format.frame_range import FrameRange
from support.video import ROOT, example_pose, example_rows, flat_pictures, write_capture, write_video

_CANDLE = ROOT / "samples" / "candle"
_BASKETBALL = os.environ.get("DYNERF_BASKETBALL")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid capture of three cameras with gaps in their numbers, 6 frames of 32x24."""
    return write_capture(tmp_path / "scene")


def _with_rows(folder: Path, change: Callable[[np.ndarray], object]) -> Path:
    rows = np.load(folder / "poses_bounds.npy")
    change(rows)
    np.save(folder / "poses_bounds.npy", rows)
    return folder


def _set(row: int, column: int | slice, value: object) -> Callable[[np.ndarray], object]:
    return lambda rows: rows.__setitem__((row, column), value)


class TestValid:
    def test_rows_belong_to_the_existing_videos_in_sorted_order(self, folder: Path) -> None:
        (folder / "notes.txt").write_text("not a camera")
        (folder / "thumbnail.mp4").write_bytes(b"not a camera either")
        capture = read_n3v(folder)
        assert capture.names == ("cam00", "cam02", "cam05")
        assert (capture.fps, capture.frames, capture.untagged) == (Fraction(30), 6, ())
        for index, view in enumerate(capture.views):
            np.testing.assert_allclose(view.camera.camera_to_world, example_pose(index), atol=1e-12)
            assert view.video == folder / f"{view.name}.mp4"
            assert view.camera.name == view.name
            assert (view.near, view.far) == (0.5, 8.0)

    def test_intrinsics_fit_the_picture_with_the_principal_point_in_its_middle(self, folder: Path) -> None:
        camera = read_n3v(folder).views[0].camera
        assert (camera.width, camera.height, camera.centre_x, camera.centre_y) == (32, 24, 16.0, 12.0)
        assert (camera.focal_x, camera.focal_y) == (40.0, 40.0)

    def test_a_video_smaller_than_that_of_the_pose_has_a_shorter_focal_length(self, folder: Path) -> None:
        np.save(folder / "poses_bounds.npy", example_rows(3, width=2704, height=2028))
        camera = read_n3v(folder).view("cam02").camera
        assert camera.focal_x == pytest.approx(40.0)
        assert camera.focal_y == pytest.approx(40.0)

    def test_a_rounded_rotation_becomes_an_exact_one(self, folder: Path) -> None:
        rows = np.load(folder / "poses_bounds.npy")
        np.save(folder / "poses_bounds.npy", np.round(rows, 3).astype(np.float32))
        for index, view in enumerate(read_n3v(folder).views):
            rotation = view.camera.camera_to_world[:, :3]
            np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
            assert np.linalg.det(rotation) == pytest.approx(1)
            np.testing.assert_allclose(rotation, example_pose(index)[:, :3], atol=2e-3)

    def test_untagged_videos_are_named(self, folder: Path) -> None:
        write_video(folder / "cam02.mp4", flat_pictures(6), tagged=False)
        assert read_n3v(folder).untagged == ("cam02",)

    def test_the_error_for_an_unknown_view_lists_the_existing_ones(self, folder: Path) -> None:
        with pytest.raises(ViewError, match="no view 'cam01', there are cam00, cam02, cam05"):
            read_n3v(folder).view("cam01")

    def test_different_lengths_are_accepted_with_a_common_range(self, folder: Path) -> None:
        write_video(folder / "cam02.mp4", flat_pictures(5))
        assert read_n3v(folder, FrameRange(1, 5)).frames == 5

    @pytest.mark.parametrize(
        ("container", "movflags"),
        [("mp4", "frag_keyframe+empty_moov"), ("matroska", ""), ("avi", ""), ("mpegts", "")],
    )
    def test_frames_are_counted_when_the_file_does_not_state_their_number(
        self, tmp_path: Path, container: str, movflags: str
    ) -> None:
        path = write_video(tmp_path / "a.mp4", flat_pictures(9), container=container, movflags=movflags)
        assert probe(path).frames == 9
        assert len(list(decode(path, range(9)))) == 9

    def test_frames_hidden_by_an_edit_list_do_not_count(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", flat_pictures(9), times=range(-2, 7))
        assert probe(path).frames == 7
        levels = [int(picture[0, 0, 0]) for picture in decode(path, range(7))]
        np.testing.assert_allclose(levels, np.arange(24, 52, 4), atol=1)

    def test_reading_writes_nothing_to_the_terminal(
        self, folder: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "cam05.mp4").write_bytes((folder / "cam05.mp4").read_bytes()[:900])
        with pytest.raises(CaptureError):
            read_n3v(folder)
        assert capfd.readouterr() == ("", "")


class TestBadFolder:
    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"nowhere: does not exist, expected a folder with camNN\.mp4"):
            read_n3v(tmp_path / "nowhere")

    def test_a_file_instead_of_a_folder(self, folder: Path) -> None:
        with pytest.raises(CaptureError, match=r"cam00\.mp4: is a file, expected a folder"):
            read_n3v(folder / "cam00.mp4")

    def test_a_folder_without_videos(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"holds no camNN\.mp4"):
            read_n3v(tmp_path)

    def test_a_single_camera(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"holds only cam03\.mp4, expected .* at least two"):
            read_n3v(write_capture(tmp_path, names=["cam03"]))

    def test_numbers_whose_order_is_ambiguous(self, folder: Path) -> None:
        (folder / "cam05.mp4").rename(folder / "cam5.mp4")
        shutil.copy(folder / "cam00.mp4", folder / "cam10.mp4")
        np.save(folder / "poses_bounds.npy", example_rows(4))
        assert read_n3v(_without(folder, "cam10.mp4")).names == ("cam00", "cam02", "cam5")
        shutil.copy(folder / "cam00.mp4", folder / "cam50.mp4")
        shutil.copy(folder / "cam00.mp4", folder / "cam06.mp4")
        with pytest.raises(CaptureError, match="poses cannot be assigned"):
            read_n3v(folder)


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    np.save(folder / "poses_bounds.npy", example_rows(len(list(folder.glob("cam*.mp4")))))
    return folder


class TestBadPoses:
    def test_no_pose_file(self, folder: Path) -> None:
        (folder / "poses_bounds.npy").unlink()
        with pytest.raises(CaptureError, match=r"poses_bounds\.npy: is missing"):
            read_n3v(folder)

    def test_the_error_for_a_pose_per_frame_says_why_cameras_must_be_static(self, folder: Path) -> None:
        np.save(folder / "poses_bounds.npy", example_rows(18))
        with pytest.raises(CaptureError, match="18 rows for 3 cameras, 6 poses each; moving cameras are not"):
            read_n3v(folder)

    @pytest.mark.parametrize("rows", [2, 4])
    def test_another_number_of_rows_than_videos(self, folder: Path, rows: int) -> None:
        np.save(folder / "poses_bounds.npy", example_rows(rows))
        with pytest.raises(CaptureError, match=f"{rows} rows for 3 cameras"):
            read_n3v(folder)

    @pytest.mark.parametrize(
        ("array", "found"),
        [
            (np.zeros((3, 15)), "an array of 3x15, expected 3 rows of 17"),
            (np.zeros((3, 3, 5)), "an array of 3x3x5"),
            (np.zeros(()), "a single number"),
            (np.array(["a", "b"]), "elements of type <U1"),
            (np.zeros((3, 17), complex), "elements of type complex128"),
            (np.array([None, {}], dtype=object), "not an array of numbers"),
        ],
    )
    def test_another_array(self, folder: Path, array: np.ndarray, found: str) -> None:
        np.save(folder / "poses_bounds.npy", array, allow_pickle=True)
        with pytest.raises(CaptureError, match=found):
            read_n3v(folder)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not numpy at all",
            b"\x93NUMPY\x01\x00\x06\x00{'a':\n",
            b"\x93NUMPY\x01\x00\x46\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999, 17)}".ljust(70)[:69]
            + b"\n",
        ],
    )
    def test_a_damaged_file_or_a_forged_size(self, folder: Path, data: bytes) -> None:
        (folder / "poses_bounds.npy").write_bytes(data)
        with pytest.raises(CaptureError, match=r"poses_bounds\.npy: is not an array of numbers"):
            read_n3v(folder)

    def test_an_archive_of_several_arrays(self, folder: Path) -> None:
        np.savez(folder / "poses.npz", a=np.zeros(3))
        (folder / "poses.npz").rename(folder / "poses_bounds.npy")
        with pytest.raises(CaptureError, match="not an array of numbers"):
            read_n3v(folder)

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (_set(1, 3, np.nan), "row of cam02: column 3 holds nan"),
            (_set(2, 16, np.inf), "row of cam05: column 16 holds inf"),
            (_set(0, 15, 8.0), "row of cam00: near 8 and far 8, expected 0 < near < far"),
            (_set(0, 15, 0.0), "near 0 and far 8"),
            (_set(0, 15, -1.0), "near -1 and far 8"),
            (_set(1, 14, 0.0), "row of cam02: .*focal length 0, expected positive"),
            (_set(1, 4, -24.0), "height -24"),
            (_set(1, 0, 2.0), "row of cam02: the 3x3 part is not a rotation"),
            (_set(1, 0, 1e200), r"row of cam02: column 0 holds 1e\+200, expected at most 1e\+09"),
            (_set(1, slice(0, 15), 0.0), "expected positive"),
            (lambda rows: rows.__imul__(np.where(np.isin(np.arange(17), [0, 5, 10]), -1.0, 1.0)), "mirror"),
        ],
    )
    def test_invalid_numbers_are_reported_with_their_row(
        self, folder: Path, change: Callable[[np.ndarray], object], found: str
    ) -> None:
        with pytest.raises(CaptureError, match=found):
            read_n3v(_with_rows(folder, change))

    def test_poses_for_pictures_of_another_aspect_ratio(self, folder: Path) -> None:
        np.save(folder / "poses_bounds.npy", example_rows(3, width=64, height=36))
        with pytest.raises(CaptureError, match="cam00: the video is 32x24, the pose was made for 64x36"):
            read_n3v(folder)


class TestBadVideos:
    def _replace(self, folder: Path, pictures: np.ndarray | None = None, **options: object) -> Path:
        chosen = flat_pictures(6) if pictures is None else pictures
        write_video(folder / "cam02.mp4", chosen, **options)  # type: ignore[arg-type]
        return folder

    @pytest.mark.parametrize("data", [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"])
    def test_a_file_named_like_a_video_that_is_not_one(self, folder: Path, data: bytes) -> None:
        (folder / "cam02.mp4").write_bytes(data)
        with pytest.raises(CaptureError, match=r"cam02\.mp4: cannot be opened as a video: Invalid data"):
            read_n3v(folder)

    def test_a_folder_named_like_a_video(self, folder: Path) -> None:
        (folder / "cam02.mp4").unlink()
        (folder / "cam02.mp4").mkdir()
        with pytest.raises(CaptureError, match=r"cam02\.mp4: is a folder, expected a video file"):
            read_n3v(folder)

    @pytest.mark.parametrize("name", ["cam02.mp4", "poses_bounds.npy"])
    def test_a_pipe_is_refused_without_waiting_for_a_writer(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(CaptureError, match=r"cam02\.mp4: is a pipe or device|bounds\.npy: is missing"):
            read_n3v(folder)

    def test_links_to_files_are_videos_and_dangling_ones_are_refused(self, folder: Path) -> None:
        (folder / "cam02.mp4").rename(folder / "recording.mp4")
        (folder / "cam02.mp4").symlink_to("recording.mp4")
        assert read_n3v(folder).frames == 6
        (folder / "recording.mp4").unlink()
        with pytest.raises(CaptureError, match=r"cam02\.mp4: cannot be read: No such file"):
            read_n3v(folder)

    def test_different_frame_counts_are_reported_by_camera(self, folder: Path) -> None:
        with pytest.raises(CaptureError, match="differ in frame count: 5 in cam02; 6 in cam00, cam05"):
            read_n3v(self._replace(folder, flat_pictures(5)))

    def test_different_sizes_are_placed_into_frames_of_the_largest(self, folder: Path) -> None:
        capture = read_n3v(self._replace(folder, flat_pictures(6, 64, 48)))
        assert {(view.camera.width, view.camera.height) for view in capture.views} == {(64, 48)}
        assert [view.camera.focal_x for view in capture.views] == [40.0, 80.0, 40.0]
        assert "pictures of 32x24, 64x48 are placed into frames of 64x48" in capture.notes

    @pytest.mark.parametrize("fps", [20, 25])
    def test_different_rates_are_reported_by_camera(self, folder: Path, fps: int) -> None:
        with pytest.raises(
            CaptureError,
            match=r"frame rate: 2[05] in cam02; 30 in cam00, cam05; from frame [13] on",
        ):
            read_n3v(self._replace(folder, fps=fps))

    def test_hdr(self, folder: Path) -> None:
        with pytest.raises(CaptureError, match=r"cam02\.mp4: HDR video \(PQ transfer\)"):
            read_n3v(self._replace(folder, transfer=16))

    @pytest.mark.parametrize("frames", [FrameRange(0, 7), FrameRange(6), FrameRange(9, 12)])
    def test_frames_beyond_the_clip(self, folder: Path, frames: FrameRange) -> None:
        with pytest.raises(CaptureError, match=rf"frames {frames} requested, the clip has frames 0:6"):
            read_n3v(folder, frames)


class TestFrameRange:
    @pytest.mark.parametrize(
        ("text", "first", "stop"),
        [("2:5", 2, 5), (":5", 0, 5), ("2:", 2, None), (":", 0, None), (" 007:008 ", 7, 8)],
    )
    def test_either_end_may_be_omitted(self, text: str, first: int, stop: int | None) -> None:
        assert FrameRange.parse(text) == FrameRange(first, stop)

    @pytest.mark.parametrize(
        "text", ["", "5", "a:b", "1:2:3", "-1:4", "3:3", "5:2", "1.5:2", "²:³", "9" * 5000 + ":"]
    )
    def test_invalid_text_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="frames"):
            FrameRange.parse(text)

    def test_an_open_end_is_the_end_of_the_clip(self) -> None:
        assert FrameRange(2).within(7, "clip") == range(2, 7)
        assert FrameRange(2, 4).within(7, "clip") == range(2, 4)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a" * 65])
def test_a_camera_name_that_cannot_be_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(CaptureError, match="camera name"):
        RecordedCamera(name, Path("a.mp4"), Lens(4, 3, 5.0, 5.0, 2.0, 1.5), example_pose(0))


def _check_rig(capture: Capture) -> None:
    """The cameras of a rig look at one point: the point nearest to their axes is in front of all of them."""
    origins = np.stack([view.camera.origin for view in capture.views])
    forward = np.stack([view.camera.forward for view in capture.views])
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    centre = np.linalg.solve(across.sum(0), (across @ origins[:, :, None]).sum(0))[:, 0]
    depths = ((centre - origins) * forward).sum(1)
    assert all(view.near < depth < view.far for view, depth in zip(capture.views, depths, strict=True))
    for view in capture.views:
        (x, y), camera = view.camera.project(centre[None])[0], view.camera
        assert 0 < x < camera.width
        assert 0 < y < camera.height


def test_the_bundled_capture_is_thirteen_cameras_that_look_at_one_point() -> None:
    capture = read_n3v(_CANDLE)
    assert capture.names == tuple(f"cam{index:02d}" for index in range(13))
    assert (capture.fps, capture.frames, capture.untagged) == (Fraction(30), 30, ())
    camera = capture.view("cam00").camera
    assert (camera.width, camera.height, camera.focal_x, camera.focal_y) == (256, 192, 243.2, 243.2)
    assert camera.camera_to_world[2, 1] > 0.9  # z is up in this scene
    _check_rig(capture)


@pytest.mark.skipif(_BASKETBALL is None, reason="DYNERF_BASKETBALL names no folder with the capture")
def test_the_real_capture_has_the_poses_of_its_own_camera_file() -> None:
    folder = Path(_BASKETBALL or "")
    capture = read_n3v(folder)
    assert (len(capture.views), capture.frames, capture.untagged) == (30, 60, capture.names)
    stored = json.loads((folder / "cameras.json").read_text())["cameras"]
    for view, camera in zip(capture.views, stored, strict=True):
        expected = np.array(camera["c2w_opencv"]) @ np.diag([1.0, -1.0, -1.0, 1.0])
        np.testing.assert_allclose(view.camera.camera_to_world, expected, atol=1e-5)
        assert view.camera.focal_x == camera["focal_px"]
    _check_rig(capture)
