"""Videos of one rig: paired by their presentation times, or refused with an error that names the camera."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.video import decode, probe
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.jobs.encode_segment import _choose_space, _describe
from dynerf_encoder.jobs.job import Job
from dynerf_format.errors import CaptureError
from dynerf_format.frame_range import FrameRange
from support.encoding import Notes, tiny_config
from support.video import example_rows, flat_pictures, write_capture, write_video

_FINE = Fraction(1, 90000)
_REORDERED = {"bf": "2", "b_strategy": "0", "preset": "medium", "sc_threshold": "0", "qp": "4"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cameras, cam00, cam02, cam05, 6 frames of 32x24 at 30 frames per second."""
    return write_capture(tmp_path / "scene")


def _replace(folder: Path, name: str = "cam05", frames: int = 6, shift: int = 0, **options: object) -> None:
    """Replace a camera's video by one that shows the greys of the instants ``shift``, ``shift`` + 1, ..."""
    write_video(folder / f"{name}.mp4", flat_pictures(frames + shift)[shift:], **options)  # type: ignore[arg-type]


def _instants(folder: Path) -> list[list[int]]:
    """The instants that each camera shows, by the greys of a capture whose cameras all start with grey 16."""
    capture = read_n3v(folder)
    return [
        [
            round((picture.mean() - 16) / 4)
            for picture in decode(view.video, view.in_video(range(capture.frames)))
        ]
        for view in capture.views
    ]


class TestStarts:
    @pytest.fixture(autouse=True)
    def _same_greys(self, folder: Path) -> None:
        for name in ("cam00", "cam02", "cam05"):
            _replace(folder, name)

    def test_a_camera_that_starts_later_is_paired_by_time(self, folder: Path) -> None:
        _replace(folder, shift=2, times=range(2, 8))
        capture = read_n3v(folder)
        assert [view.first for view in capture.views] == [2, 2, 0]
        assert _instants(folder) == [[2, 3, 4, 5]] * 3
        assert capture.notes == (
            "cam05 starts 0.067 s (2 frames) after the others: frames are paired by time; 4 frames that all "
            "cameras show are used, of 6",
        )

    def test_a_camera_that_starts_earlier_is_paired_by_time(self, folder: Path) -> None:
        for name in ("cam00", "cam05"):
            _replace(folder, name, shift=1, times=range(1, 7))
        assert _instants(folder) == [[1, 2, 3, 4, 5]] * 3
        assert "cam02 starts 0.033 s (1 frame) before the others" in read_n3v(folder).notes[0]

    def test_an_equal_start_of_all_cameras_has_no_effect(self, folder: Path) -> None:
        for name in ("cam00", "cam02", "cam05"):
            _replace(folder, name, times=range(3, 9))
        capture = read_n3v(folder)
        assert ([view.first for view in capture.views], capture.frames, capture.notes) == ([0] * 3, 6, ())

    def test_frames_hidden_by_an_edit_list_are_not_paired(self, folder: Path) -> None:
        _replace(folder, frames=8, times=range(-2, 6))
        assert _instants(folder) == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]

    def test_starts_that_differ_by_part_of_a_frame_are_refused(self, folder: Path) -> None:
        _replace(folder, times=3000 * np.arange(6) + 1200, unit=_FINE)
        with pytest.raises(
            CaptureError,
            match=r"cam05 starts 0\.013 s \(0\.39 frames\) after the others, expected whole frames",
        ):
            read_n3v(folder)

    def test_cameras_without_a_common_instant_are_refused(self, folder: Path) -> None:
        _replace(folder, times=range(30, 36))
        with pytest.raises(
            CaptureError,
            match=r"cam05 starts 1\.000 s \(30 frames\) after the others; no instant is shown by all",
        ):
            read_n3v(folder)

    def test_the_frame_store_holds_the_same_instant_of_all_cameras(self, folder: Path) -> None:
        _replace(folder, shift=2, times=range(2, 8))
        store = FrameStore.build(read_n3v(folder), folder / "store", frames=FrameRange(1, 3))
        assert (store.frames, store.first_source_frame) == (2, 1)
        for index in range(3):
            np.testing.assert_allclose(store.view(index)[:, 0, 0, 0], [28, 32], atol=1)

    def test_a_changed_start_stores_the_pictures_again(self, folder: Path) -> None:
        built = []
        for times in (range(6), range(2, 8)):
            _replace(folder, times=times)
            store = FrameStore.build(read_n3v(folder), folder / "store", frames=FrameRange(0, 4))
            built.append((store.fingerprint, int(store.view(0)[0, 0, 0, 0])))
        assert built[0][0] != built[1][0]
        np.testing.assert_allclose([grey for _, grey in built], [16, 24], atol=1)

    def test_unused_frames_are_reported_once(self, folder: Path) -> None:
        _replace(folder, shift=2, times=range(2, 8))
        capture, notes = read_n3v(folder), Notes()
        job = Job(folder, folder / "clip.dnv", tiny_config())
        store = FrameStore.build(capture, folder / "store", frames=job.frames)
        _describe(job, capture, store, _choose_space(job, capture, (), np.zeros(3)), notes)
        assert notes.messages.count(capture.notes[0]) == 1


class TestSteps:
    @pytest.mark.parametrize("coding", [{}, _REORDERED], ids=["in order", "reordered"])
    def test_a_missing_frame_is_reported(self, folder: Path, coding: dict[str, str]) -> None:
        _replace(folder, frames=9, times=[0, 1, 2, 4, 5, 6, 7, 8, 9], coding=coding)
        with pytest.raises(
            CaptureError,
            match=r"cam05 lacks a frame after frame 2: 0\.067 s to the next one, expected 0\.033",
        ):
            read_n3v(folder)

    def test_the_number_of_missing_frames_is_reported(self, folder: Path) -> None:
        _replace(folder, times=[0, 1, 2, 3, 4, 9])
        with pytest.raises(CaptureError, match="cam05 lacks 4 frames after frame 4"):
            read_n3v(folder)

    def test_a_missing_frame_after_the_frames_used_is_accepted(self, folder: Path) -> None:
        _replace(folder, times=[0, 1, 2, 3, 5, 6])
        assert read_n3v(folder, FrameRange(0, 4)).frames == 6

    def test_a_frame_that_is_too_early_is_reported(self, folder: Path) -> None:
        _replace(folder, times=[0, 3000, 6000, 7000, 9000, 12000], unit=_FINE)
        with pytest.raises(CaptureError, match="cam05 shows frame 3 too early after frame 2"):
            read_n3v(folder)

    def test_a_varying_rate_is_reported(self, folder: Path) -> None:
        _replace(folder, times=[0, 1, 4, 5, 8, 9])
        with pytest.raises(CaptureError, match=r"cam05 has varying frame intervals, 0\.033 to 0\.100 s"):
            read_n3v(folder)


class TestRates:
    def test_the_last_frame_without_a_duration_does_not_count(self, folder: Path) -> None:
        _replace(folder, frames=2, times=[0, 3000], unit=_FINE)
        assert probe(folder / "cam05.mp4").fps == 30

    @pytest.mark.parametrize("rates", [(30.03, 29.91), (29.97, 30)])
    def test_rates_that_drift_less_than_half_a_frame_are_one_rate(
        self, folder: Path, rates: tuple[float, float]
    ) -> None:
        for name, rate in zip(("cam00", "cam02"), rates, strict=True):
            _replace(folder, name, times=[round(90000 * i / rate) for i in range(6)], unit=_FINE)
        capture = read_n3v(folder)
        assert (capture.frames, capture.notes) == (6, ())
        assert abs(capture.fps - 30) < Fraction(1, 10)

    def test_rates_that_drift_half_a_frame_are_refused_but_a_shorter_range_is_accepted(
        self, folder: Path
    ) -> None:
        _replace(folder, times=[round(90000 * i / 27) for i in range(6)], unit=_FINE)
        with pytest.raises(
            CaptureError, match=r"frame rate: 27 in cam05; 30 in cam00, cam02; from frame 5 on"
        ):
            read_n3v(folder)
        assert read_n3v(folder, FrameRange(0, 5)).fps == 30

    def test_videos_with_jittered_times_are_paired(self, folder: Path) -> None:
        generator = np.random.default_rng(1)
        for name in ("cam00", "cam02", "cam05"):
            _replace(folder, name, times=_jittered(generator), unit=_FINE)
        capture = read_n3v(folder)
        assert (capture.fps, capture.frames) == (Fraction(30), 6)

    @pytest.mark.parametrize("container", ["matroska", "mpegts", "avi"])
    def test_other_containers_have_the_same_rate_and_start(self, folder: Path, container: str) -> None:
        _replace(folder, container=container)
        capture = read_n3v(folder)
        assert ([view.first for view in capture.views], capture.fps) == ([0] * 3, Fraction(30))


def _jittered(generator: np.random.Generator) -> Sequence[int]:
    steps = 3000 + generator.integers(-90, 90, 5)
    return [0, *map(int, np.cumsum(steps))]


def test_a_stream_without_times_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", flat_pictures(6), container="h264")
    with pytest.raises(CaptureError, match=r"a\.mp4: has no presentation times \(raw H.264 video\)"):
        probe(path)


class TestFolder:
    @pytest.mark.parametrize("suffix", [".MP4", ".mov", ".mkv", ".webm", ".avi", ".MTS"])
    def test_other_video_suffixes_are_accepted(self, folder: Path, suffix: str) -> None:
        for path in folder.glob("*.mp4"):
            path.rename(path.with_suffix(suffix))
        assert read_n3v(folder).names == ("cam00", "cam02", "cam05")

    def test_mixed_suffixes_do_not_change_the_order_of_poses(self, folder: Path) -> None:
        (folder / "cam02.mp4").rename(folder / "cam02.MP4")
        assert read_n3v(folder).names == ("cam00", "cam02", "cam05")

    @pytest.mark.parametrize(
        ("second", "both"), [("cam00.mov", "cam00.mov and cam00.mp4"), ("cam0.mp4", "cam0.mp4")]
    )
    def test_two_files_of_one_camera_are_refused(self, folder: Path, second: str, both: str) -> None:
        (folder / second).write_bytes((folder / "cam00.mp4").read_bytes())
        with pytest.raises(
            CaptureError, match=f"{both}.* all belong to camera 0, expected one file per camera"
        ):
            read_n3v(folder)

    def test_the_error_describes_what_was_found(self, tmp_path: Path) -> None:
        np.save(tmp_path / "poses_bounds.npy", example_rows(2))
        for name in ("camera_a", "camera_b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "0001.png").touch()
        (tmp_path / "GX010001.MP4").touch()
        (tmp_path / "._GX010001.MP4").touch()
        found = (
            r"no camNN\.mp4, but 2 folders of pictures \(camera_a, camera_b\) and 1 video with other names"
        )
        with pytest.raises(CaptureError, match=found):
            read_n3v(tmp_path)


def test_an_alpha_channel_in_a_second_stream_is_reported(folder: Path) -> None:
    _replace(folder, codec="libvpx-vp9", container="webm", pixel_format="yuva420p")
    assert read_n3v(folder).notes == ("the alpha channel of cam05 is ignored",)


def test_an_ignored_alpha_channel_is_reported_once(folder: Path) -> None:
    for name in ("cam00", "cam02"):
        _replace(folder, name, codec="ffv1", container="matroska", pixel_format="yuva420p")
    assert read_n3v(folder).notes == ("the alpha channel of cam00, cam02 is ignored",)
