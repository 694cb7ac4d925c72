"""The rig's cameras synchronised by all methods, clocks that drift, and which cameras share a lens."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.calibration.footage import Footage
from dynerf_encoder.calibration.lens_groups import lens_groups
from dynerf_encoder.calibration.options import CalibrationOptions
from dynerf_encoder.calibration.stills import StillFiles
from dynerf_encoder.calibration.synchronisation.motion import MovingView, motion_scores
from dynerf_encoder.calibration.synchronisation.offsets import joint_offsets
from dynerf_encoder.calibration.synchronise import check_drift, synchronise
from dynerf_encoder.captures.picture_source import open_source
from dynerf_encoder.captures.video import VideoFacts
from dynerf_format.errors import CaptureError
from support.blobs import FOCAL, HEIGHT, WIDTH, blob_views, ring_pose
from support.rigs import replaced, ring_solution
from support.video import flat_pictures, write_video


def _drifting(view: MovingView, every: int) -> MovingView:
    """The view by a clock that skips a frame now and then."""
    frames = np.arange(len(view.pictures))
    kept = (frames + frames // every)[frames + frames // every < len(view.pictures)]
    return MovingView(view.pictures[kept], view.centre, view.rays)


def test_a_clock_that_drifts_is_refused_with_the_camera() -> None:
    views = blob_views(5, 140, [0, 3, 1, 0, 2])
    names = [f"cam{index:02d}" for index in range(5)]
    check_drift("recording", names, views, joint_offsets(5, motion_scores(views)))
    views[2] = _drifting(views[2], 40)
    with pytest.raises(CaptureError, match=r"recording: clocks drift: .*\(cam02 by [+-][12] frames"):
        check_drift("recording", names, views, joint_offsets(5, motion_scores(views)))


def _footage(folder: Path, count: int) -> list[Footage]:
    found = []
    for index in range(count):
        path = write_video(folder / f"cam{index:02d}.mp4", flat_pictures(3, WIDTH, HEIGHT))
        source = open_source(path)
        found.append(Footage(path.stem, path, source, source.probe()))
    return found


def test_cameras_are_synchronised_by_motion_where_there_is_nothing_else(tmp_path: Path) -> None:
    starts = [0, 5, 2, 7, 1]
    views = blob_views(5, 40, starts)
    footage = _footage(tmp_path, 5)
    stills = {}
    for camera, view in zip(footage, views, strict=True):
        np.save(tmp_path / f"{camera.name}.npy", view.pictures)
        stills[camera.name] = StillFiles({}, tmp_path / f"{camera.name}.npy", 1.0)
    base = ring_solution(5)
    lens = replace(
        base.lenses[0],
        width=WIDTH,
        height=HEIGHT,
        focal_x=FOCAL,
        focal_y=FOCAL,
        centre_x=WIDTH / 2,
        centre_y=HEIGHT / 2,
    )
    solution = replaced(base, poses=tuple(ring_pose(index, 5) for index in range(5)), lenses=(lens,) * 5)
    options = CalibrationOptions(tmp_path, tmp_path / "capture.json")
    found = synchronise(options, footage, stills, solution, lambda *_counts: None)
    assert [found.offsets[camera.name].exact for camera in footage] == [
        Fraction(7 - start) for start in starts
    ]
    assert {offset.method for offset in found.offsets.values()} == {"motion"}
    assert set(found.curves) == {camera.name for camera in footage}
    for sync in ("timecode", "sound"):
        options = CalibrationOptions(tmp_path, tmp_path / "capture.json", sync=sync)
        found = synchronise(options, footage, stills, solution, lambda *_counts: None)
        assert {offset.confidence for offset in found.offsets.values()} == {"unknown"}


def _sized(camera: Footage, width: int, height: int) -> Footage:
    facts = camera.facts
    return replace(
        camera, facts=VideoFacts(width, height, facts.timeline, facts.colour, facts.fps, facts.turns)
    )


def test_cameras_of_one_size_share_a_lens_by_default(tmp_path: Path) -> None:
    cameras = _footage(tmp_path, 3)
    cameras = [_sized(cameras[0], 1920, 1080), _sized(cameras[1], 1920, 1080), _sized(cameras[2], 1080, 1920)]
    output = tmp_path / "capture.json"
    groups, group = lens_groups(CalibrationOptions(tmp_path, output), cameras)
    assert group == {"cam00": 0, "cam01": 0, "cam02": 1}
    assert [(found.width, found.focal, found.known) for found in groups] == [
        (1920, 2304.0, False),
        (1080, 2304.0, False),
    ]
    groups, group = lens_groups(CalibrationOptions(tmp_path, output, same_lens="no", focal=1500.0), cameras)
    assert group == {"cam00": 0, "cam01": 1, "cam02": 2}
    assert {(found.focal, found.known) for found in groups} == {(1500.0, True)}
    assert len(lens_groups(CalibrationOptions(tmp_path, output, same_lens="per-folder"), cameras)[0]) == 2
