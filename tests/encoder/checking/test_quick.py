"""What small pictures show: black, frozen, duplicate cameras, holes, and cameras out of step."""

import numpy as np
import pytest

from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.checking.exposure import gains
from dynerf_encoder.checking.quick.steps import step_findings, steps
from dynerf_encoder.checking.sharpness import blurred, sharpness
from dynerf_encoder.findings.finding import Finding
from dynerf_encoder.findings.picture_faults import picture_findings
from support.blobs import FOCAL, HEIGHT, WIDTH, blob_views, ring_pose
from support.rigs import LENS, matches_of, ring_solution

_CAMERAS = 6
_NAMES = tuple(f"cam{index:02d}" for index in range(_CAMERAS))


def _pictures(starts: list[int] | None = None, frames: int = 40) -> dict[str, np.ndarray]:
    """Moving blobs before a different background in each camera."""
    views = blob_views(_CAMERAS, frames, starts or [0] * _CAMERAS)
    return {name: view.pictures.copy() for name, view in zip(_NAMES, views, strict=True)}


def _kinds(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.cameras) for finding in findings]


def test_sound_pictures_have_no_findings() -> None:
    assert picture_findings(_pictures()) == []


def test_a_black_camera_is_named() -> None:
    pictures = _pictures()
    pictures["cam01"][:] = 3
    assert _kinds(picture_findings(pictures)) == [("black", ("cam01",))]


def test_a_frozen_camera_is_named() -> None:
    pictures = _pictures()
    pictures["cam02"][:] = pictures["cam02"][0]
    (finding,) = picture_findings(pictures)
    assert (finding.kind, finding.message) == ("frozen", "cam02: all its pictures are the same")


def test_a_frozen_stretch_and_a_black_one_are_named_with_their_frames() -> None:
    pictures = _pictures()
    pictures["cam02"][5:12] = pictures["cam02"][5]
    pictures["cam04"][20:22] = 0
    messages = {finding.message for finding in picture_findings(pictures)}
    assert messages == {
        "cam02: repeats one picture in frames 5 to 11 while others change",
        "cam04: black in frames 20 to 21",
    }


def test_a_scene_without_motion_is_not_frozen() -> None:
    still = {name: np.repeat(found[:1], 10, axis=0) for name, found in _pictures().items()}
    assert picture_findings(still) == []


def test_a_duplicate_names_the_camera_that_it_shows() -> None:
    pictures = _pictures()
    noise = np.random.default_rng(0).integers(-1, 2, pictures["cam03"].shape)
    pictures["cam05"] = (pictures["cam03"].astype(np.int16) + noise).clip(0, 255).astype(np.uint8)
    (finding,) = picture_findings(pictures)
    assert (finding.kind, finding.cameras) == ("duplicate", ("cam05",))
    assert finding.message == "cam05: shows the same pictures as cam03"


def test_pictures_of_one_colour_are_not_duplicates() -> None:
    assert picture_findings({name: np.full((4, 12, 16), 90, np.uint8) for name in _NAMES}) == []


def _steps(pictures: dict[str, np.ndarray]) -> dict[str, int | None]:
    lens = Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2)
    poses = {name: ring_pose(index, _CAMERAS) for index, name in enumerate(_NAMES)}
    return steps(pictures, dict.fromkeys(_NAMES, lens), poses)


def test_cameras_in_step_have_no_findings() -> None:
    found = _steps(_pictures())
    assert set(found.values()) == {0}
    assert step_findings(found) == []


@pytest.mark.parametrize(("starts", "message"), [
    ([3, 3, 0, 3, 3, 3], "cam02: is 3 frames late against the others"),
    ([0, 0, 0, 0, 1, 0], "cam04: is 1 frame early against the others"),
])  # fmt: skip
def test_a_camera_out_of_step_is_named(starts: list[int], message: str) -> None:
    (finding,) = step_findings(_steps(_pictures(starts)))
    assert (finding.kind, finding.message) == ("out of step", message)


def test_cameras_that_were_never_synchronised_are_one_finding() -> None:
    (finding,) = step_findings(_steps(_pictures([0, 5, 2, 7, 4, 9])))
    assert "the cameras are not synchronised" in finding.message
    assert "dynerf calibrate" in finding.message


def test_too_few_frames_and_no_motion_say_nothing() -> None:
    assert set(_steps(_pictures(frames=12)).values()) == {None}
    generator = np.random.default_rng(0)
    still = {
        name: (found[:1] + generator.integers(0, 3, found.shape)).astype(np.uint8)
        for name, found in _pictures().items()
    }
    assert step_findings(_steps(still)) == []


def _averaged(picture: np.ndarray, side: int) -> np.ndarray:
    """The means of side x side pixels."""
    moved = [np.roll(picture, (dy, dx), (0, 1)) for dy in range(side) for dx in range(side)]
    return np.asarray(np.mean(moved, axis=0))


def test_a_blurred_camera_is_named() -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (96, 128)).astype(np.float64)
    soft, softer = _averaged(picture, 4), _averaged(_averaged(picture, 4), 6)
    values = dict.fromkeys(_NAMES, sharpness(soft.astype(np.uint8)))
    assert blurred(values) == {}
    values["cam03"] = sharpness(softer.astype(np.uint8))
    assert list(blurred(values)) == ["cam03"]


def test_without_contrast_no_camera_is_blurred() -> None:
    values = dict.fromkeys(_NAMES, sharpness(np.full((40, 40), 100, np.uint8)))
    assert blurred(values) == {}


def test_gains_of_exposure_are_found_at_matched_points() -> None:
    rig = ring_solution(4, points=50)
    stated = {"cam00": 1.0, "cam01": 1.0, "cam02": 1.5, "cam03": 0.7}
    pictures = {
        name: np.full((LENS.height, LENS.width), 100 * gain, np.uint8) for name, gain in stated.items()
    }
    found = gains(rig.names, pictures, dict.fromkeys(rig.names, 1.0), matches_of(rig))
    assert found == pytest.approx(stated, rel=0.02)
