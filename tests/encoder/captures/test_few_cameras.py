"""The space near few cameras is left out as far as no second camera sees it."""

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.few_cameras import FEW, clear_depth, with_clear_space
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.config.presets import preset
from dynerf_encoder.config.smoothness import smoother
from support.video import ROOT

CANDLE = ROOT / "samples" / "candle"
_FOUR = ("cam01", "cam04", "cam09", "cam12")


def _row(spacing: float) -> list[Camera]:
    """Six parallel cameras of 90 degrees in a row: what they look at is taken to be 10 spacings ahead."""
    poses = []
    for index in range(6):
        pose = np.eye(4)[:3].copy()
        pose[0, 3] = (index - 2.5) * spacing
        poses.append(pose)
    return [Camera(f"c{i}", 100, 100, 50.0, 50.0, 50.0, 50.0, pose) for i, pose in enumerate(poses)]


def test_the_depth_is_that_from_which_a_neighbour_sees_nine_tenths() -> None:
    # At depth d a picture is 2 d wide and its neighbour's overlaps all but the spacing: 1 - s / (2 d) >= 0.9.
    assert clear_depth(_row(0.2), 0.05) == pytest.approx(1.0, rel=0.15)


def test_depths_that_all_cameras_share_are_kept() -> None:
    assert clear_depth(_row(0.2), 1.5) == 1.5


def test_it_stays_before_what_is_filmed() -> None:
    # Two long lenses at a right angle share little more than the point that both look at, 10 ahead.
    poses = [np.column_stack([np.eye(3), [0.0, 0.0, 10.0]]), np.zeros((3, 4))]
    poses[1][:, 0], poses[1][:, 1] = [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]
    poses[1][:, 2], poses[1][:, 3] = [1.0, 0.0, 0.0], [10.0, 0.0, 0.0]
    cameras = [Camera("a", 100, 100, 500.0, 500.0, 50.0, 50.0, pose) for pose in poses]
    assert clear_depth(cameras, 1.0) == 1.0


def test_few_cameras_leave_out_what_only_one_sees() -> None:
    capture = read_capture(CANDLE)
    found = with_clear_space(capture, _FOUR)
    assert {view.near for view in found.views} == {found.views[0].near}
    assert 1.5 < found.views[0].near < 2.05  # the nearest objects of candle are 2.07 away
    assert any("near is 1.7" in note or "near is 1.8" in note for note in found.notes)
    assert with_clear_space(capture, capture.names[: FEW + 1]) is capture


def test_few_cameras_have_smoother_planes() -> None:
    assert smoother(preset("preview")).optimiser.total_variation == 0.1
    assert smoother(preset("paper")).optimiser.total_variation == 0.0
