"""Offsets from motion between views: a scene of moving blobs, and ``candle`` with its poses."""

from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.synchronisation.motion import MovingView, lag_scores, motion_scores
from dynerf_encoder.calibration.synchronisation.offsets import joint_offsets
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.lens import Lens
from support.blobs import blob_views

CANDLE = Path(__file__).parents[3] / "samples/candle"


def test_offsets_of_views_that_face_each_other_are_exact() -> None:
    starts = [0, 4, 2, 7, 1]
    views = blob_views(5, 40, starts)
    found = joint_offsets(5, motion_scores(views))
    assert [found.whole[0] - offset for offset in found.whole] == starts
    assert all(found.clear)


@pytest.mark.parametrize("seed", range(4))
def test_without_motion_no_offset_is_confident(seed: int) -> None:
    generator = np.random.default_rng(seed)
    views = [
        MovingView(
            (view.pictures[:1] + generator.integers(0, 3, view.pictures.shape)).astype(np.uint8),
            view.centre, view.rays,
        )
        for view in blob_views(4, 30, [0, 0, 0, 0])
    ]  # fmt: skip
    assert not any(joint_offsets(4, motion_scores(views)).clear)


def test_lag_scores_equal_a_plain_loop() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.standard_normal((30, 4)), generator.standard_normal((26, 4))
    found = lag_scores(first, second, 9)
    first, second = first - first.mean(), second - second.mean()
    for lag, score in zip(range(-9, 10), found, strict=True):
        common = [(t + lag, t) for t in range(26) if 0 <= t + lag < 30]
        one, two = (np.array([x[pair[k]] for pair in common]) for k, x in enumerate((first, second)))
        plain = (one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum()) * np.sqrt(len(common) / 26)
        assert score == pytest.approx(plain, abs=1e-9)


def test_candle_with_random_offsets_is_exact_or_unknown() -> None:
    views = _candle_views(96, 72)
    for draw in range(2):
        starts = np.random.default_rng(draw).integers(0, 15, len(views))
        cut = [
            MovingView(view.pictures[start:], view.centre, view.rays)
            for view, start in zip(views, starts, strict=True)
        ]
        found = joint_offsets(len(cut), motion_scores(cut))
        errors = np.array(found.whole) + starts
        confident = np.array(found.clear)
        assert (errors[confident] == np.median(errors)).all()
        assert confident.sum() >= 12


def _candle_views(width: int, height: int) -> list[MovingView]:
    """Small grey pictures of the sample with the poses of its pose file."""
    views = []
    for view in read_n3v(CANDLE).views:
        camera = view.camera
        lens = Lens(
            camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
        )
        x, y = np.meshgrid((np.arange(width) + 0.5) * 256 / width, (np.arange(height) + 0.5) * 192 / height)
        pose = Pose.of_camera_to_world(camera.camera_to_world)
        with av.open(str(view.video)) as container:
            pictures = np.stack(
                [
                    frame.reformat(width, height, format="gray", interpolation="AREA").to_ndarray()
                    for frame in container.decode(video=0)
                ]
            )
        views.append(
            MovingView(
                pictures,
                pose.centre,
                lens.directions(np.column_stack([x.ravel(), y.ravel()])) @ pose.rotation,
            )
        )
    return views
