"""Recordings that cannot be calibrated are refused by name, with what to do."""

from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.calibration.footage import find_footage
from dynerf_encoder.calibration.options import CalibrationOptions, Scale
from dynerf_encoder.calibration.outcome import check_cameras
from dynerf_encoder.calibration.pairs.features import Features
from dynerf_encoder.calibration.stationary import check_stationary, empty_of_texture, faulty_cameras
from dynerf_encoder.calibration.stills import (
    StillFiles,
    choose_times,
    feature_scale,
    read_stills,
    write_picture,
)
from dynerf_encoder.calibration.work_folder import close_work, open_work
from dynerf_format.errors import CaptureError, ConfigError, ResumeError
from support.video import flat_pictures, noisy_pictures, write_video


def _silent(*_counts: object) -> None:
    pass


def _recording(folder: Path, cameras: int, **options: object) -> Path:
    folder.mkdir(exist_ok=True)
    for index in range(cameras):
        write_video(folder / f"cam{index:02d}.mp4", flat_pictures(4), **options)  # type: ignore[arg-type]
    return folder


def test_fewer_than_three_cameras_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CaptureError, match=r"holds 2 cameras \(cam00, cam01\), expected .* at least 3 cameras"
    ):
        find_footage(_recording(tmp_path, 2), _silent)
    with pytest.raises(CaptureError, match="holds no videos"):
        find_footage(_recording(tmp_path / "empty", 0), _silent)
    with pytest.raises(CaptureError, match="does not exist, expected a folder"):
        find_footage(tmp_path / "nothing", _silent)


def test_videos_in_folders_are_found_one_in_each_or_several_by_folder(tmp_path: Path) -> None:
    for name in ("left", "right", "top"):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "GX01.mp4", flat_pictures(4))
    assert find_footage(tmp_path, _silent).names == ("left", "right", "top")
    write_video(tmp_path / "left" / "GX02.mp4", flat_pictures(4))
    with pytest.raises(CaptureError, match=r"folders hold several videos each .*--same-lens per-folder"):
        find_footage(tmp_path, _silent)
    assert find_footage(tmp_path, _silent, by_folder=True).names == (
        "left_GX01", "left_GX02", "right", "top",
    )  # fmt: skip


def test_names_that_differ_in_characters_that_names_may_not_have_are_numbered(tmp_path: Path) -> None:
    for name in ("a b", "a_b", "a+b"):
        write_video(tmp_path / f"{name}.mp4", flat_pictures(4))
    assert sorted(find_footage(tmp_path, _silent).names) == ["a_b", "a_b_2", "a_b_3"]


def test_what_options_name_is_compared_with_the_cameras_before_the_work(tmp_path: Path) -> None:
    footage = find_footage(_recording(tmp_path, 3), _silent)
    with pytest.raises(ConfigError, match="--scale: found nope, expected two of cam00, cam01, cam02"):
        check_cameras(
            CalibrationOptions(tmp_path, tmp_path / "c.json", scale=Scale(1.0, ("cam00", "nope"))), footage
        )
    footage.cameras[1].path.rename(tmp_path / "b.mp4")
    with pytest.raises(ConfigError, match=r"--export llff: found b\.mp4, expected camNN\.mp4"):
        check_cameras(
            CalibrationOptions(tmp_path, tmp_path / "c.json", export=("llff",)),
            find_footage(tmp_path, _silent),
        )
    with pytest.raises(ConfigError, match="expected the name of a file"):
        CalibrationOptions(tmp_path, Path())


def test_different_frame_rates_are_refused_with_the_cameras(tmp_path: Path) -> None:
    _recording(tmp_path, 3)
    write_video(tmp_path / "cam03.mp4", flat_pictures(4), fps=25)
    with pytest.raises(CaptureError, match="differ in frame rate: 25 in cam03; 30 in cam00, cam01, cam02"):
        find_footage(tmp_path, _silent)


def test_a_damaged_video_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    _recording(tmp_path, 4)
    (tmp_path / "cam04.mp4").write_bytes(b"not a video")
    found = find_footage(tmp_path, _silent)
    assert found.names == ("cam00", "cam01", "cam02", "cam03")
    assert "cam04.mp4: cannot be opened as a video" in found.dropped["cam04"]


def test_too_many_damaged_videos_are_refused(tmp_path: Path) -> None:
    _recording(tmp_path, 3)
    for index in range(3, 6):
        (tmp_path / f"cam{index:02d}.mp4").write_bytes(b"not a video")
    with pytest.raises(CaptureError, match=r"3 of 6 cameras cannot be used \(cam03, cam04, cam05\)"):
        find_footage(tmp_path, _silent)


def test_a_video_that_breaks_off_is_found_when_it_is_read(tmp_path: Path) -> None:
    _recording(tmp_path, 4)
    path = write_video(tmp_path / "cam04.mp4", noisy_pictures(30, 64, 48))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    footage = find_footage(tmp_path, _silent)
    (tmp_path / "work/stills").mkdir(parents=True)
    counts: list[tuple[int, int]] = []
    stills, failed = read_stills(
        footage, (0, 3), tmp_path / "work", lambda done, total: counts.append((done, total))
    )
    assert [done for done, _ in counts] == sorted(done for done, _ in counts)
    assert counts[-1][0] == counts[-1][1]
    assert set(failed) == {"cam04"} and set(stills) == {"cam00", "cam01", "cam02", "cam03"}
    assert footage.without(failed, tmp_path).names == ("cam00", "cam01", "cam02", "cam03")


def test_pictures_are_read_once_small_ones_enlarged(tmp_path: Path) -> None:
    footage = find_footage(_recording(tmp_path, 3), _silent)
    (tmp_path / "work/stills").mkdir(parents=True)
    stills, _ = read_stills(footage, (0, 3), tmp_path / "work", _silent)
    assert np.load(stills["cam01"].stills[3]).shape == (48, 64)
    assert np.load(stills["cam01"].thumbnails).shape == (4, 24, 32)
    assert stills["cam01"].scale == 2.0
    levels = [int(np.load(stills["cam01"].stills[time]).mean()) for time in (0, 3)]
    assert levels[1] - levels[0] == pytest.approx(12, abs=2)


def test_sizes_for_features_stay_between_bounds() -> None:
    assert feature_scale((256, 192)) == 2.0
    assert feature_scale((1352, 1014)) == 1.0
    assert feature_scale((3200, 1800)) == 0.5


def test_times_are_spread_over_the_clip_and_checked() -> None:
    assert choose_times(30, 4) == (0, 10, 19, 29)
    assert choose_times(2, 6) == (0, 1)
    assert choose_times(30, (20, 3, 3)) == (3, 20)
    with pytest.raises(CaptureError, match="frame 30, expected 0 to 29"):
        choose_times(30, (0, 30))


def test_black_frozen_and_duplicate_videos_are_left_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pictures = {
        f"cam{index:02d}": generator.integers(0, 255, (5 + index, 24, 32), dtype=np.uint8)
        for index in range(6)
    }
    pictures["cam01"][:] = 3
    pictures["cam03"][:] = pictures["cam03"][0]
    pictures["cam05"][:9] = pictures["cam04"]
    stills = {name: StillFiles({}, tmp_path / f"{name}.npy", 1.0) for name in pictures}
    for name, files in stills.items():
        write_picture(files.thumbnails, pictures[name])
    assert faulty_cameras(stills) == {
        "cam01": "its pictures are black",
        "cam03": "all its pictures are the same",
        "cam05": "shows the same pictures as cam04",
    }


def _features(
    folder: Path, name: str, moved: float, generator: np.random.Generator, share: float = 1.0
) -> dict[int, Path]:
    """60 features of each picture; in the last one, a share is ``moved`` pixels further in x and y."""
    places, descriptors = generator.uniform(0, 600, (60, 2)), generator.integers(0, 256, (60, 128))
    found = {}
    for time in (0, 10, 20):
        shift = np.where(np.arange(60) < 60 * share, moved if time == 20 else 0.0, 0.0)[:, None]
        found[time] = folder / f"{name}_{time}.npz"
        places_now = places + shift + 0.2 * generator.standard_normal(places.shape)
        Features(places_now, descriptors.astype(np.uint8)).write(found[time])
    return found


def test_a_camera_that_moves_is_named_with_the_frame(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    files = {
        name: _features(tmp_path, name, shift, generator) for name, shift in (("cam00", 0.0), ("cam01", 9.0))
    }
    widths = {"cam00": 640, "cam01": 640}
    with pytest.raises(
        CaptureError, match=r"cam01 has moved by 12\.\d pixels between frames 10 and 20, expected cameras"
    ):
        check_stationary(tmp_path, files, widths)
    check_stationary(tmp_path, {"cam00": files["cam00"]}, widths)


def test_a_camera_stands_still_although_most_of_what_it_sees_moves(tmp_path: Path) -> None:
    files = {"cam00": _features(tmp_path, "cam00", 80.0, np.random.default_rng(0), share=0.6)}
    check_stationary(tmp_path, files, {"cam00": 640})


def test_cameras_without_texture_are_found() -> None:
    assert empty_of_texture({"cam00": [900, 800], "cam01": [12, 3], "cam02": [10, 400]}, 50) == ["cam01"]


def test_a_work_folder_continues_only_the_same_calibration(tmp_path: Path) -> None:
    footage = find_footage(_recording(tmp_path, 3), _silent)

    def options(**values: object) -> CalibrationOptions:
        return CalibrationOptions(tmp_path, tmp_path / "capture.json", **values)  # type: ignore[arg-type]

    work = open_work(options(), footage.cameras, (0, 3))
    (work / "features/cam00.npz").write_bytes(b"kept")
    assert open_work(options(resume=True), footage.cameras, (0, 3)) == work
    assert (work / "features/cam00.npz").exists()
    with pytest.raises(ResumeError, match="belongs to a calibration with other seed, expected the same"):
        open_work(options(resume=True, seed=1), footage.cameras, (0, 3))
    open_work(options(), footage.cameras, (0, 3))
    assert not (work / "features/cam00.npz").exists()
    close_work(work)
    assert not work.exists()
