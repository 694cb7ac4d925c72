"""Checks without a training: cameras out of step, blurred, or of another exposure."""

import numpy as np
import pytest

from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.checking.exposure import gains
from dynerf_encoder.checking.quick.frame_offsets import frame_offsets, offset_findings
from dynerf_encoder.checking.sharpness import blurred, sharpness
from support.blobs import FOCAL, HEIGHT, NAMES, WIDTH, blob_pictures, ring_pose
from support.rigs import LENS, matches_of, ring_solution


def _offsets(pictures: dict[str, np.ndarray]) -> dict[str, int | None]:
    lens = Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2)
    poses = {name: ring_pose(index, len(NAMES)) for index, name in enumerate(NAMES)}
    return frame_offsets(pictures, dict.fromkeys(NAMES, lens), poses)


def test_cameras_in_step_have_no_findings() -> None:
    found = _offsets(blob_pictures())
    assert set(found.values()) == {0}
    assert offset_findings(found) == []


@pytest.mark.parametrize(("starts", "message"), [
    ([3, 3, 0, 3, 3, 3], "cam02: is 3 frames late against the others"),
    ([0, 0, 0, 0, 1, 0], "cam04: is 1 frame early against the others"),
])  # fmt: skip
def test_a_camera_out_of_step_is_named(starts: list[int], message: str) -> None:
    (finding,) = offset_findings(_offsets(blob_pictures(starts)))
    assert (finding.kind, finding.message) == ("out of step", message)


def test_cameras_that_were_never_synchronised_are_one_finding() -> None:
    (finding,) = offset_findings(_offsets(blob_pictures([0, 5, 2, 7, 4, 9])))
    assert "the cameras are not synchronised" in finding.message
    assert "dynerf calibrate" in finding.message


def test_too_few_frames_and_no_motion_say_nothing() -> None:
    assert set(_offsets(blob_pictures(frames=12)).values()) == {None}
    generator = np.random.default_rng(0)
    still = {
        name: (found[:1] + generator.integers(0, 3, found.shape)).astype(np.uint8)
        for name, found in blob_pictures().items()
    }
    assert offset_findings(_offsets(still)) == []


def _averaged(picture: np.ndarray, side: int) -> np.ndarray:
    """The means of side x side pixels."""
    moved = [np.roll(picture, (dy, dx), (0, 1)) for dy in range(side) for dx in range(side)]
    return np.asarray(np.mean(moved, axis=0))


def test_a_blurred_camera_is_named() -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (96, 128)).astype(np.float64)
    soft, softer = _averaged(picture, 4), _averaged(_averaged(picture, 4), 6)
    values = dict.fromkeys(NAMES, sharpness(soft.astype(np.uint8)))
    assert blurred(values) == {}
    values["cam03"] = sharpness(softer.astype(np.uint8))
    assert list(blurred(values)) == ["cam03"]


def test_without_contrast_no_camera_is_blurred() -> None:
    values = dict.fromkeys(NAMES, sharpness(np.full((40, 40), 100, np.uint8)))
    assert blurred(values) == {}


def test_gains_of_exposure_are_found_at_matched_points() -> None:
    rig = ring_solution(4, points=50)
    stated = {"cam00": 1.0, "cam01": 1.0, "cam02": 1.5, "cam03": 0.7}
    pictures = {
        name: np.full((LENS.height, LENS.width), 100 * gain, np.uint8) for name, gain in stated.items()
    }
    found = gains(rig.names, pictures, dict.fromkeys(rig.names, 1.0), matches_of(rig))
    assert found == pytest.approx(stated, rel=0.02)
