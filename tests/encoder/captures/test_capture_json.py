"""``capture.json``: what is written is read again, what is wrong is named, and offsets decide the pairing."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_encoder.captures.layouts.capture_json import read_capture_json, write_capture_json
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.point_file import ScenePoints, read_points, write_points
from dynerf_encoder.captures.recording import RecordedCamera, Recording, SourceState, checked_recording
from dynerf_format.errors import CaptureError, OutputError
from support.lenses import make_lens
from support.video import example_pose, flat_pictures, write_video


def _recording(folder: Path) -> Recording:
    lens = make_lens(32, 24, 40, 41, 16.5, 11.5, "OPENCV", (0.01, -0.02, 0.001, 0.002))
    cameras = (
        RecordedCamera(
            "cam00", folder / "cam00.mp4", make_lens(32, 24, 40, 40, 16, 12), example_pose(0), 0.5, 8.0,
            Fraction(5, 2), SourceState(1000, 1.5, "ab"), quality={"seen": 12},
        ),
        RecordedCamera("cam02", folder / "cam02.mp4", lens, example_pose(1), 0.5, 8.0, None),
        RecordedCamera("cam10", folder / "b" / "%04d.png", lens, example_pose(2)),
    )  # fmt: skip
    return checked_recording(
        Recording(
            folder / "capture.json", "capture.json", cameras,
            fps=Fraction(30000, 1001), timed_by_offsets=True, up=np.array([0.0, 1.0, 0.0]),
            points=folder / "points.ply", unit="metre", made={"seed": 3}, quality={"verdict": "good"},
        )
    )  # fmt: skip


class TestFile:
    def test_all_that_is_written_is_read_again_to_the_bit(self, tmp_path: Path) -> None:
        written = _recording(tmp_path)
        write_capture_json(written, tmp_path / "capture.json")
        found = read_capture_json(tmp_path / "capture.json")
        for one, other in zip(found.cameras, written.cameras, strict=True):
            assert one.camera_to_world.tobytes() == other.camera_to_world.tobytes()
            assert replace(one, camera_to_world=other.camera_to_world).__dict__ == other.__dict__
        assert found.up is not None
        assert found.up.tolist() == [0, 1, 0]
        assert replace(found, cameras=written.cameras, up=written.up).__dict__ == written.__dict__

    def test_it_can_be_written_from_a_folder_above_the_videos_only(self, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        with pytest.raises(CaptureError, match="expected the description beside the videos or above them"):
            write_capture_json(_recording(tmp_path), tmp_path / "x" / "capture.json")
        assert not (tmp_path / "x" / "capture.json").exists()

    def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            write_capture_json(_recording(tmp_path / "x"), tmp_path / "x" / "capture.json")

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (lambda r: r.update(version=2), "version is 2, expected 1; a newer dynerf wrote it"),
            (lambda r: r.update(format="other"), "format is 'other', expected 'dynerf-capture'"),
            (lambda r: r.update(spelling=1), "key 'spelling', expected cameras, format"),
            (lambda r: r["cameras"][1].update(ofset=1), r"cameras\[1\]: key 'ofset', expected bytes, "),
            (lambda r: r.update(timing="sound"), "timing is 'sound', expected 'offsets' or 'start times'"),
            (lambda r: r.update(fps="30/0"), "fps"),
            (lambda r: r.update(cameras=[{}] * 1001), "1001 cameras, expected 1 to 1000"),
            (lambda r: r.update(fps=1e6), "fps is 1000000.0, expected above 0 and at most 1000"),
            (
                lambda r: r["cameras"][0].update(name="cam02"),
                "cam02 occurs 2 times, expected each camera once",
            ),
            (lambda r: r["cameras"][0].update(name="../x"), "camera name '../x', expected letters"),
            (lambda r: r["cameras"][0].update(source="../x.mp4"), r"cameras\[0\]: file name '../x.mp4'"),
            (lambda r: r["cameras"][0].update(source="\ud800.mp4"), r"cameras\[0\]: file name"),
            (lambda r: r["cameras"][0].update(source="x" * 300), r"cameras\[0\]: file name 'xxx"),
            (lambda r: r["cameras"][0].update(source="x/" * 1500), r"cameras\[0\]: file name 'x/x"),
            (
                lambda r: r["cameras"][0].update(far=0.1),
                "cam00: near 0.5 and far 0.1, expected 0 < near < far",
            ),
            (lambda r: r["cameras"][0].update(offset=1e9), "offset 1e.09, expected at most 1000000 frames"),
            (lambda r: r["cameras"][0]["lens"].update(model="FOV"), "model 'FOV', expected one of PINHOLE"),
            (
                lambda r: r["cameras"][0]["lens"].update(focal=[0, 1]),
                r"cameras\[0\]: lens: lens with focal len",
            ),
            (
                lambda r: r["cameras"][0]["camera_to_world"][0].append(1),
                "camera_to_world is a list of 3, expec",
            ),
            (
                lambda r: r["cameras"][0]["camera_to_world"][0].__setitem__(0, 9),
                "its pose is not a rotation|not a rot",
            ),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, change: Callable[[dict[str, Any]], object], found: str
    ) -> None:
        path = tmp_path / "capture.json"
        write_capture_json(_recording(tmp_path), path)
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))
        with pytest.raises(CaptureError, match=found):
            read_capture_json(path)

    def test_keys_of_other_programs_are_ignored(self, tmp_path: Path) -> None:
        path = tmp_path / "capture.json"
        write_capture_json(_recording(tmp_path), path)
        record = json.loads(path.read_text())
        record["x_note"] = record["cameras"][0]["x_serial"] = "A7"
        path.write_text(json.dumps(record))
        assert read_capture_json(path).names == ("cam00", "cam02", "cam10")

    def test_a_mirrored_pose_is_refused(self, tmp_path: Path) -> None:
        recording = _recording(tmp_path)
        pose = recording.cameras[0].camera_to_world.copy()
        pose[:, 0] *= -1
        mirrored = replace(recording.cameras[0], camera_to_world=pose)
        with pytest.raises(CaptureError, match="cam00: the 3x3 part of its pose mirrors the world"):
            checked_recording(replace(recording, cameras=(mirrored, *recording.cameras[1:])))


class TestOffsets:
    """Videos whose grey level states the frame: 16 + 4 * frame, later by the camera's offset."""

    OFFSETS = (("cam00", Fraction(3)), ("cam01", Fraction(0)), ("cam02", Fraction(13, 10)))

    def _write(self, folder: Path, *, frames: int = 12, timed: bool = True) -> Path:
        cameras = []
        for index, (name, offset) in enumerate(self.OFFSETS):
            # Frame n shows the instant n - offset; level 16 + 4 * (instant + 5).
            levels = flat_pictures(40)[5 - round(offset) :][:frames]
            write_video(folder / f"{name}.mp4", levels)
            lens = make_lens(32, 24, 40, 40, 16, 12)
            cameras.append(
                RecordedCamera(name, folder / f"{name}.mp4", lens, example_pose(index), 0.5, 8.0, offset)
            )
        path = folder / "capture.json"
        recording = Recording(path, "capture.json", tuple(cameras), timed_by_offsets=timed)
        write_capture_json(checked_recording(recording), path)
        return path

    def test_pictures_of_one_instant_are_paired(self, tmp_path: Path) -> None:
        capture = read_capture(self._write(tmp_path))
        assert [view.first for view in capture.views] == [3, 0, 1]
        assert capture.frames == 9
        shown = [[int(p[0, 0, 0]) for p in view.decode(range(capture.frames))] for view in capture.views]
        np.testing.assert_allclose(shown[0], shown[1], atol=1)
        np.testing.assert_allclose(shown[2], shown[1], atol=1)
        assert any("paired by offsets of up to 3 frames; 9 of 12 are used" in note for note in capture.notes)

    def test_without_them_frames_of_equal_time_are_paired(self, tmp_path: Path) -> None:
        capture = read_capture(self._write(tmp_path, timed=False))
        assert [view.first for view in capture.views] == [0, 0, 0]

    def test_a_video_that_changed_since_its_pose_was_estimated_is_named(self, tmp_path: Path) -> None:
        path = self._write(tmp_path)
        record = json.loads(path.read_text())
        record["cameras"][1]["bytes"] = 17
        record["cameras"][2]["bytes"] = (tmp_path / "cam02.mp4").stat().st_size
        path.write_text(json.dumps(record))
        assert "cam01: changed since the poses were estimated" in read_capture(path).notes

    def test_an_unknown_offset_counts_as_none_and_is_reported(self, tmp_path: Path) -> None:
        path = self._write(tmp_path)
        record = json.loads(path.read_text())
        record["cameras"][1]["offset"] = None
        path.write_text(json.dumps(record))
        capture = read_capture(path)
        assert [view.first for view in capture.views] == [3, 0, 1]
        assert any("cam01: offsets are unknown, taken as 0" in note for note in capture.notes)

    def test_offsets_beyond_the_video_leave_no_instant(self, tmp_path: Path) -> None:
        path = self._write(tmp_path)
        record = json.loads(path.read_text())
        record["cameras"][0]["offset"] = 12
        path.write_text(json.dumps(record))
        with pytest.raises(
            CaptureError, match="cam00 ends before the camera with the smallest offset starts"
        ):
            read_capture(path)


class TestPoints:
    def test_points_are_read_as_written(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        points = ScenePoints(rng.normal(size=(50, 3)), rng.integers(0, 256, (50, 3), np.uint8))
        write_points(points, tmp_path / "a.ply")
        found = read_points(tmp_path / "a.ply")
        np.testing.assert_array_equal(found.positions, points.positions)
        np.testing.assert_array_equal(found.colours, points.colours)

    def test_text_of_other_programs_is_read(self, tmp_path: Path) -> None:
        header = "ply\nformat ascii 1.0\ncomment x\nelement vertex 2\nproperty float x\nproperty float y\n"
        header += (
            "property float z\nproperty float nx\nelement face 0\nproperty list uchar int vertex_index\n"
        )
        (tmp_path / "a.ply").write_text(header + "end_header\n1 2 3 0\n4 5 6 0\n")
        found = read_points(tmp_path / "a.ply")
        np.testing.assert_array_equal(found.positions, [[1, 2, 3], [4, 5, 6]])
        assert (found.colours == 128).all()

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"ply\n",
            b"ply\nformat\nelement vertex 1\nproperty float x\nend_header\n1\n",
            b"ply\nformat ascii 1.0\nelement vertex\nproperty float x\nend_header\n1\n",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n",
            b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999\nproperty float x\nend_header\n",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty list uchar int x\nend_header\n1\n",
            b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
            b"end_header\n1 2 3\n",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
            b"end_header\n1 2 nan\n",
        ],
    )
    def test_malformed_files_are_errors(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "a.ply").write_bytes(data)
        with pytest.raises(CaptureError, match=r"a\.ply: "):
            read_points(tmp_path / "a.ply")
