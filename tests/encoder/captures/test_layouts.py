"""Every layout of one capture is read as the same cameras and pictures; what is wrong in one is named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import pixel_directions
from dynerf_encoder.captures.layouts.detect import LAYOUTS, read_recording
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.reading import Reading
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_format.errors import CaptureError, ConfigError
from dynerf_format.frame_range import FrameRange
from support import layouts
from support.video import ROOT, example_pose, example_rows, flat_pictures, write_video

CANDLE = ROOT / "samples" / "candle"
DEPTHS = (1.2, 6.5)  # of candle's pose file; other layouts do not state any
_FRAMES = 2

Write = Callable[[Path, layouts.Rig], None]


@pytest.fixture(scope="module")
def rig() -> layouts.Rig:
    """Candle's cameras, by formulas of the tests' own."""
    names = [f"cam{number:02}" for number in range(13)]
    return layouts.rig_of_rows(names, np.load(CANDLE / "poses_bounds.npy"))


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """Candle's first pictures, as decoded."""
    views = read_capture(CANDLE).views
    return {view.name: np.stack(list(view.decode(range(_FRAMES)))) for view in views}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """What is trained on when candle's own pose file is read."""
    frames = FrameRange(0, _FRAMES)
    capture = read_capture(CANDLE, frames)
    return FrameStore.build(capture, tmp_path_factory.mktemp("stored"), frames=frames, downscale=2)


@pytest.fixture(scope="module")
def png_folder(tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, np.ndarray]) -> Path:
    """Candle's first pictures in a folder for each camera."""
    folder = tmp_path_factory.mktemp("pictures")
    layouts.write_pictures(folder, pictures, "{camera}/{frame:06}.png")
    return folder


def _videos(rig: layouts.Rig) -> dict[str, Path]:
    return {name: CANDLE / f"{name}.mp4" for name in rig.names}


def _link_pictures(folder: Path, png_folder: Path, below: str) -> None:
    (folder / below).parent.mkdir(parents=True, exist_ok=True)
    (folder / below).symlink_to(png_folder, target_is_directory=True)


def _n3v_pictures(folder: Path, rig: layouts.Rig, png_folder: Path) -> None:
    for name in rig.names:
        (folder / name).symlink_to(png_folder / name, target_is_directory=True)
    shutil.copy(CANDLE / "poses_bounds.npy", folder)


def _nerfstudio(folder: Path, rig: layouts.Rig, _: Path) -> None:
    layouts.link_videos(folder, _videos(rig))
    layouts.nerfstudio(folder, rig, {name: [f"{name}.mp4"] for name in rig.names})


def _nerfstudio_pictures(folder: Path, rig: layouts.Rig, png_folder: Path) -> None:
    _link_pictures(folder, png_folder, "images")
    files = {name: [f"./images/{name}/{frame:06}" for frame in range(_FRAMES)] for name in rig.names}
    layouts.nerfstudio(folder, rig, files, timed=True)


def _colmap_text(folder: Path, rig: layouts.Rig, _: Path) -> None:
    layouts.link_videos(folder, _videos(rig))
    layouts.colmap(folder, rig, {name: f"{name}.jpg" for name in rig.names}, binary=False)


def _colmap_binary(folder: Path, rig: layouts.Rig, png_folder: Path) -> None:
    _link_pictures(folder, png_folder, "images")
    names = {name: f"{name}/000000.png" for name in rig.names}
    layouts.colmap(folder, rig, names, binary=True)


def _easyvolcap(folder: Path, rig: layouts.Rig, png_folder: Path) -> None:
    _link_pictures(folder, png_folder, "images")
    layouts.easyvolcap(folder, rig)


def _easymocap(folder: Path, rig: layouts.Rig, _: Path) -> None:
    layouts.link_videos(folder, _videos(rig), "videos/{}.mp4")
    layouts.easyvolcap(folder, rig, vectors=True)


def _immersive(folder: Path, rig: layouts.Rig, _: Path) -> None:
    layouts.link_videos(folder, _videos(rig))
    layouts.immersive(folder, rig)


def _panoptic(folder: Path, rig: layouts.Rig, _: Path) -> None:
    layouts.link_videos(folder, _videos(rig), "hdVideos/hd_{}.mp4")
    layouts.panoptic(folder, rig)


def _dynamic_gaussians(folder: Path, rig: layouts.Rig, png_folder: Path) -> None:
    _link_pictures(folder, png_folder, "ims")
    files = {name: [f"{name}/{frame:06}.png" for frame in range(_FRAMES)] for name in rig.names}
    layouts.dynamic_gaussians(folder, rig, files)


WRITERS = {
    "n3v-pictures": _n3v_pictures,
    "nerfstudio": _nerfstudio,
    "nerfstudio-pictures": _nerfstudio_pictures,
    "colmap-text": _colmap_text,
    "colmap-binary": _colmap_binary,
    "easyvolcap": _easyvolcap,
    "easymocap": _easymocap,
    "immersive": _immersive,
    "panoptic": _panoptic,
    "dynamic-3d-gaussians": _dynamic_gaussians,
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path, rig: layouts.Rig, png_folder: Path) -> Path:
    """Candle in one of the other layouts."""
    WRITERS[request.param](tmp_path, rig, png_folder)
    return tmp_path


class TestCandle:
    def test_rays_are_those_of_the_pose_file_to_a_millionth(self, written: Path, rig: layouts.Rig) -> None:
        capture = read_capture(written, FrameRange(0, _FRAMES), Reading(depths=DEPTHS))
        assert capture.names == rig.names
        corners = np.array([[0.5, 0.5], [255.5, 0.5], [0.5, 191.5], [255.5, 191.5], [100.5, 30.5]])
        for index, view in enumerate(capture.views):
            lens = rig.lenses[index]
            local = np.column_stack(
                [(corners[:, 0] - lens.cx) / lens.fx, (corners[:, 1] - lens.cy) / lens.fy, np.ones(5)]
            )
            expected = local @ rig.rotations[index]
            expected /= np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(
                pixel_directions(view.camera, corners[:, 0], corners[:, 1]), expected, atol=1e-6
            )
            centre = -rig.rotations[index].T @ rig.translations[index]
            np.testing.assert_allclose(view.camera.origin, centre, atol=1e-6)

    def test_all_that_a_clip_depends_on_is_the_same_to_the_bit(
        self, written: Path, tmp_path: Path, expected: FrameStore
    ) -> None:
        frames = FrameRange(0, _FRAMES)
        capture = read_capture(written, frames, Reading(depths=DEPTHS))
        found = FrameStore.build(capture, tmp_path / "stored", frames=frames, downscale=2)
        assert (found.names, found.near, found.far) == (expected.names, expected.near, expected.far)
        assert (found.fps, found.first_source_frame) == (expected.fps, expected.first_source_frame)
        assert found.covered == (None,) * 13
        for index, (one, other) in enumerate(zip(found.cameras, expected.cameras, strict=True)):
            assert (one.width, one.height) == (other.width, other.height)
            assert (one.focal_x, one.focal_y, one.centre_x, one.centre_y) == (
                other.focal_x, other.focal_y, other.centre_x, other.centre_y,
            )  # fmt: skip
            assert one.camera_to_world.tobytes() == other.camera_to_world.tobytes()
            assert found.view(index).tobytes() == expected.view(index).tobytes()

    def test_it_is_stated_which_layout_was_read(self, written: Path) -> None:
        notes = read_recording(written).notes
        assert notes[0].startswith("read as ")
        assert notes[0].split()[2] in LAYOUTS


class TestDetection:
    def test_two_layouts_are_refused_unless_one_is_chosen(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        layouts.immersive(tmp_path, rig)
        layouts.nerfstudio(tmp_path, rig, {name: [f"{name}.mp4"] for name in rig.names})
        with pytest.raises(
            CaptureError, match=r"holds the layouts nerfstudio, immersive, expected one; .*--layout"
        ):
            read_recording(tmp_path)
        assert read_recording(tmp_path, "immersive").layout == "immersive"
        assert read_recording(tmp_path, "nerfstudio").layout == "nerfstudio"

    def test_the_pose_file_is_read_before_the_model_that_it_was_made_from(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        layouts.colmap(tmp_path, rig, {name: f"{name}.jpg" for name in rig.names}, binary=True)
        (tmp_path / "poses_bounds.npy").symlink_to(CANDLE / "poses_bounds.npy")
        recording = read_recording(tmp_path)
        assert recording.layout == "n3v"
        assert recording.notes == ("read as n3v (poses_bounds.npy); colmap in the same folder not used",)

    def test_videos_without_poses_name_the_command_that_finds_them(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        with pytest.raises(CaptureError, match=rf"13 cameras and no poses: run dynerf calibrate {tmp_path}"):
            read_recording(tmp_path)

    def test_videos_in_folders_without_poses_count_as_cameras(self, tmp_path: Path, rig: layouts.Rig) -> None:
        folder = tmp_path / "two words"
        layouts.link_videos(folder, _videos(rig), "{}/GX01.mp4")
        with pytest.raises(CaptureError, match=f"13 cameras and no poses: run dynerf calibrate '{folder}'"):
            read_recording(folder)

    def test_folders_of_pictures_without_poses_count_as_cameras(self, png_folder: Path) -> None:
        with pytest.raises(CaptureError, match="13 cameras and no poses: run dynerf calibrate"):
            read_recording(png_folder)

    @pytest.mark.parametrize("name", ["models.json", "calibration.json"])
    def test_too_many_cameras_are_refused_before_they_are_read(self, tmp_path: Path, name: str) -> None:
        cameras: list[object] = [{}] * 1001
        (tmp_path / name).write_text(json.dumps(cameras if name == "models.json" else {"cameras": cameras}))
        with pytest.raises(CaptureError, match="1001 cameras, expected 1 to 1000"):
            read_recording(tmp_path)

    def test_an_empty_folder_says_what_a_capture_is(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"neither videos nor poses, .*transforms\.json"):
            read_recording(tmp_path)

    def test_an_unknown_layout_lists_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="layout 'blender', expected one of capture, n3v, "):
            read_recording(tmp_path, "blender")

    def test_a_layout_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"holds no models\.json, as layout immersive expects"):
            read_recording(tmp_path, "immersive")

    def test_the_file_that_describes_a_capture_may_be_named(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        layouts.immersive(tmp_path, rig)
        assert read_recording(tmp_path / "models.json").names == rig.names
        with pytest.raises(CaptureError, match=r"cam00\.mp4: is a file, expected a folder, or a file"):
            read_recording(tmp_path / "cam00.mp4")


class TestPicturesBesideAPoseFile:
    """``poses_bounds.npy`` with folders of pictures in place of videos."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Folders of two pictures of each camera, every camera with a level of its own, and poses."""
        for index, name in enumerate(("cam00", "cam02", "cam05")):
            for frame in range(2):
                picture = np.full((24, 32, 3), 40 * index + frame, np.uint8)
                layouts.write_png(tmp_path / name / f"frame_{frame + 1:05}.png", picture)
        np.save(tmp_path / "poses_bounds.npy", example_rows(3, 32, 24))
        return tmp_path

    def test_rows_belong_to_the_folders_in_the_order_of_their_names(self, folder: Path) -> None:
        (folder / "notes").mkdir()
        (folder / "cam09").mkdir()  # without pictures
        capture = read_capture(folder)
        assert (capture.names, capture.frames) == (("cam00", "cam02", "cam05"), 2)
        for index, view in enumerate(capture.views):
            np.testing.assert_allclose(view.camera.camera_to_world, example_pose(index), atol=1e-12)
            levels = [int(picture[0, 0, 0]) for picture in view.source.decode(range(2))]
            assert levels == [40 * index, 40 * index + 1]

    def test_videos_are_preferred_to_pictures_extracted_beside_them(self, folder: Path) -> None:
        for name in ("cam00", "cam01"):
            write_video(folder / f"{name}.mp4", flat_pictures(2, 32, 24))
        np.save(folder / "poses_bounds.npy", example_rows(2, 32, 24))
        assert read_capture(folder).names == ("cam00", "cam01")

    def test_pictures_may_be_in_images_and_hidden_files_are_none(self, folder: Path) -> None:
        for name in ("cam00", "cam02", "cam05"):
            (folder / name).rename(folder / "images")
            (folder / name).mkdir()
            (folder / "images").rename(folder / name / "images")
            (folder / name / "._frame_00001.png").touch()
        assert read_capture(folder).names == ("cam00", "cam02", "cam05")
        assert read_recording(folder).cameras[1].source == folder / "cam02" / "images"

    def test_a_folder_more_than_rows_is_refused(self, folder: Path) -> None:
        layouts.write_png(folder / "cam06" / "0.png", np.zeros((24, 32, 3), np.uint8))
        with pytest.raises(CaptureError, match=r"3 rows for 4 .*\(cam00 to cam06\), expected one row"):
            read_capture(folder)

    def test_two_folders_of_one_number_are_refused(self, folder: Path) -> None:
        layouts.write_png(folder / "cam2" / "0.png", np.zeros((24, 32, 3), np.uint8))
        with pytest.raises(CaptureError, match=r"cam02 and cam2 all belong to camera 2"):
            read_capture(folder)


class TestDepths:
    def test_points_of_a_colmap_model_state_near_and_far(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        rng = np.random.default_rng(0)
        points = list(rng.uniform(-0.5, 0.5, (200, 3)))
        layouts.colmap(tmp_path, rig, {name: f"{name}.jpg" for name in rig.names}, binary=True, points=points)
        for index, camera in enumerate(read_recording(tmp_path).cameras):
            depths = (np.stack(points) @ rig.rotations[index].T + rig.translations[index])[:, 2]
            assert camera.near is not None
            assert camera.far is not None
            assert 0.7 * depths.min() < camera.near < depths.min()
            assert depths.max() < camera.far < 1.25 * depths.max()

    def test_without_points_they_follow_from_the_rig_and_that_is_said(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        _nerfstudio(tmp_path, rig, tmp_path)
        capture = read_capture(tmp_path)
        focus = [3.4 / 10, 3.4 * 3]  # candle's cameras are 3.1 to 3.8 from what they look at
        for view in capture.views:
            assert 0.7 * focus[0] < view.near < 1.5 * focus[0]
            assert 0.7 * focus[1] < view.far < 1.5 * focus[1]
        assert any(note.startswith("no depths stated: taken as ") for note in capture.notes)

    def test_stated_ones_replace_all_others(self, tmp_path: Path, rig: layouts.Rig) -> None:
        _nerfstudio(tmp_path, rig, tmp_path)
        capture = read_capture(tmp_path, reading=Reading(depths=DEPTHS))
        assert {(view.near, view.far) for view in capture.views} == {DEPTHS}


class TestNerfstudio:
    def _change(self, folder: Path, rig: layouts.Rig, change: Callable[[dict[str, Any]], object]) -> Path:
        _nerfstudio(folder, rig, folder)
        path = folder / "transforms.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))
        return folder

    def test_an_angle_of_view_states_the_focal_length(self, tmp_path: Path, rig: layouts.Rig) -> None:
        def change(record: dict[str, Any]) -> None:
            for frame in record["frames"]:
                for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
                    del frame[key]
            record["camera_angle_x"] = 2 * np.arctan(128 / 200)

        lens = read_recording(self._change(tmp_path, rig, change)).cameras[3].lens
        assert (lens.width, lens.height, lens.centre_x, lens.centre_y) == (256, 192, 128, 96)
        assert lens.focal_x == lens.focal_y == pytest.approx(200)

    def test_the_sets_for_training_and_testing_are_read_together(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        _nerfstudio(tmp_path, rig, tmp_path)
        frames = json.loads((tmp_path / "transforms.json").read_text())["frames"]
        (tmp_path / "transforms.json").unlink()
        (tmp_path / "transforms_train.json").write_text(json.dumps({"frames": frames[1:]}))
        (tmp_path / "transforms_test.json").write_text(json.dumps({"frames": frames[:2]}))
        assert read_recording(tmp_path).names == rig.names

    def test_videos_of_equal_names_are_named_by_their_folders_too(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        files = {name: [f"{name}/video.mp4"] for name in rig.names}
        layouts.nerfstudio(tmp_path, rig, files)
        assert read_recording(tmp_path).names == tuple(f"{name}_video" for name in rig.names)

    def test_pictures_of_equal_names_are_named_by_their_folders(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        files = {name: [f"{name}/frame_{frame:03}.png" for frame in range(3)] for name in rig.names}
        layouts.nerfstudio(tmp_path, rig, files)
        assert read_recording(tmp_path).names == rig.names

    def test_times_in_seconds_state_the_rate(self, tmp_path: Path, rig: layouts.Rig) -> None:
        files = {name: [f"{name}_{frame:03}.png" for frame in range(40)] for name in rig.names}
        layouts.nerfstudio(tmp_path, rig, files, timed=True)
        recording = read_recording(tmp_path)
        assert recording.fps == 30
        assert [len(camera.files) for camera in recording.cameras] == [40] * 13
        assert recording.names == rig.names

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (
                lambda r: r["frames"][2].update(file_path="../secret.mp4"),
                r"frames\[2\]: file name '../secret",
            ),
            (lambda r: r["frames"][2].update(file_path="/etc/a.mp4"), "path relative to"),
            (lambda r: r["frames"][2].update(fl_x="wide"), r"frames\[2\]: fl_x is 'wide', expected a number"),
            (
                lambda r: r["frames"][2].update(transform_matrix=[[1]]),
                r"transform_matrix is a list of 1, exp",
            ),
            (lambda r: r["frames"][2].update(camera_model="EQUIRECTANGULAR"), "camera_model 'EQUIRECT"),
            (lambda r: r["frames"][2].update(k4=0.1), "k4 is not 0"),
            (lambda r: r["frames"][2].update(k1=-5.0), r"frames\[2\]: lens OPENCV .* not monotonic"),
            (lambda r: r.update(frames=[]), "frames is a list of 0, expected a list of at least one"),
            (
                lambda r: r["frames"][1].update(file_path="cam00.png"),
                "12 of 13 frames are videos, expected all",
            ),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, rig: layouts.Rig, change: Callable[[dict[str, Any]], object], found: str
    ) -> None:
        with pytest.raises(CaptureError, match=found):
            read_recording(self._change(tmp_path, rig, change))

    def test_a_camera_that_moves_is_refused(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.nerfstudio(tmp_path, rig, {name: [f"{name}.png"] for name in rig.names}, timed=False)
        with pytest.raises(CaptureError, match=r"13 pictures of 13 different poses.*moving cameras are not"):
            read_recording(tmp_path)

    def test_a_picture_missing_of_one_camera_is_refused(self, tmp_path: Path, rig: layouts.Rig) -> None:
        files = {name: [f"{name}_{frame:03}.png" for frame in range(4)] for name in rig.names}
        files["cam05"].pop()
        layouts.nerfstudio(tmp_path, rig, files, timed=True)
        with pytest.raises(CaptureError, match=r"cam05_000\.png .* are of 3 times, .* another camera of 4"):
            read_recording(tmp_path)


class TestColmap:
    @pytest.mark.parametrize("binary", [True, False])
    @pytest.mark.parametrize("name", ["cameras", "images"])
    def test_damaged_files_are_named(self, tmp_path: Path, rig: layouts.Rig, name: str, binary: bool) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        model = layouts.colmap(tmp_path, rig, {name: f"{name}.jpg" for name in rig.names}, binary=binary)
        path = model / f"{name}.{'bin' if binary else 'txt'}"
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(
            CaptureError, match=rf"{path}: cannot be read as a COLMAP model|has camera .* missing"
        ):
            read_recording(tmp_path)

    def test_a_forged_count_is_refused_before_anything_is_allocated(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        model = layouts.colmap(tmp_path, rig, {name: f"{name}.jpg" for name in rig.names}, binary=True)
        data = (model / "cameras.bin").read_bytes()
        (model / "cameras.bin").write_bytes(b"\xff" * 8 + data[8:])
        with pytest.raises(CaptureError, match=r"cameras\.bin: .* 18446744073709551615 entries in"):
            read_recording(tmp_path)

    def test_an_image_without_a_video_lists_what_is_there(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        layouts.colmap(tmp_path, rig, {name: f"photo-{name}-x.jpg" for name in rig.names}, binary=True)
        with pytest.raises(
            CaptureError, match=r"image photo-cam00-x\.jpg .* no video .* there are cam00, cam01"
        ):
            read_recording(tmp_path)

    def test_numbered_images_stand_for_numbered_cameras(self, tmp_path: Path, rig: layouts.Rig) -> None:
        layouts.link_videos(tmp_path, _videos(rig))
        images = {name: f"image{number}.jpg" for number, name in enumerate(rig.names)}
        layouts.colmap(tmp_path, rig, images, binary=True)
        assert read_recording(tmp_path).names == rig.names


class TestOpencvYaml:
    @pytest.mark.parametrize(
        ("old", "new", "found"),
        [
            ("rows: 3", "rows: 4", "K_cam00: 9 numbers, expected 4x3"),
            ("data: [ ", "data: [ x, ", "K_cam00: could not convert"),
            ("K_cam00", "K_other", "K_cam00 is missing, expected a matrix of 3x3"),
            ('- "cam00"\n', '- "cam00\n', 'camera cam00|camera "cam00'),
            ('- "cam00"', f'- "{"9" * 400}"', "camera name '9999"),
            ("names:", "cameras:", None),  # the names in extri.yml suffice
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, rig: layouts.Rig, old: str, new: str, found: str | None
    ) -> None:
        _easymocap(tmp_path, rig, tmp_path)
        text = (tmp_path / "intri.yml").read_text()
        (tmp_path / "intri.yml").write_text(text.replace(old, new, 1))
        if found is None:
            assert read_recording(tmp_path).names == rig.names
            return
        with pytest.raises(CaptureError, match=found):
            read_recording(tmp_path)

    @pytest.mark.parametrize("width", ["inf", "nan", "1e400", "-3", "0"])
    def test_a_width_that_is_none_is_that_of_the_video(
        self, tmp_path: Path, rig: layouts.Rig, width: str
    ) -> None:
        _easymocap(tmp_path, rig, tmp_path)
        path = tmp_path / "intri.yml"
        path.write_text(re.sub("(?m)^W_cam00: .*$", f"W_cam00: {width}", path.read_text()))
        assert read_recording(tmp_path).cameras[0].lens.width == rig.lenses[0].width

    def test_a_camera_without_pictures_is_named(self, tmp_path: Path, rig: layouts.Rig) -> None:
        _easymocap(tmp_path, rig, tmp_path)
        (tmp_path / "videos" / "cam04.mp4").unlink()
        with pytest.raises(CaptureError, match=r"camera cam04 has neither a video \(cam04\.mp4"):
            read_recording(tmp_path)


class TestOthers:
    def test_immersive_cameras_without_a_video_are_left_out_and_counted(
        self, tmp_path: Path, rig: layouts.Rig
    ) -> None:
        _immersive(tmp_path, rig, tmp_path)
        (tmp_path / "cam03.mp4").unlink()
        recording = read_recording(tmp_path)
        assert recording.names == tuple(name for name in rig.names if name != "cam03")
        assert "1 cameras of models.json have no video: cam03" in recording.notes

    def test_a_moving_camera_of_dynamic_gaussians_is_named_with_its_time(
        self, tmp_path: Path, rig: layouts.Rig, png_folder: Path
    ) -> None:
        _dynamic_gaussians(tmp_path, rig, png_folder)
        record = json.loads((tmp_path / "train_meta.json").read_text())
        record["w2c"][1][4][0][3] += 0.1
        (tmp_path / "train_meta.json").write_text(json.dumps(record))
        with pytest.raises(CaptureError, match=r"camera 4: moves from time 1 on; moving cameras"):
            read_recording(tmp_path)

    @pytest.mark.parametrize(
        "name", ["transforms.json", "models.json", "train_meta.json", "calibration_a.json", "capture.json"]
    )
    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[]", b"[1]", b"{}", b'{"frames": NaN}', b"[" * 100_000, b"\xff"]
    )
    def test_malformed_files_are_errors_of_one_line(self, tmp_path: Path, name: str, data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CaptureError) as caught:
            read_recording(tmp_path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
