"""What small pictures alone show: black, frozen and duplicate cameras, and stretches of frames that are."""

import numpy as np

from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.capture_faults.picture_faults import picture_findings
from support.blobs import NAMES, blob_pictures


def _kinds(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.cameras) for finding in findings]


def test_sound_pictures_have_no_findings() -> None:
    assert picture_findings(blob_pictures()) == []


def test_a_black_camera_is_named() -> None:
    pictures = blob_pictures()
    pictures["cam01"][:] = 3
    assert _kinds(picture_findings(pictures)) == [("black", ("cam01",))]


def test_a_frozen_camera_is_named() -> None:
    pictures = blob_pictures()
    pictures["cam02"][:] = pictures["cam02"][0]
    (finding,) = picture_findings(pictures)
    assert (finding.kind, finding.message) == ("frozen", "cam02: all its pictures are the same")


def test_a_frozen_stretch_and_a_black_one_are_named_with_their_frames() -> None:
    pictures = blob_pictures()
    pictures["cam02"][5:12] = pictures["cam02"][5]
    pictures["cam04"][20:22] = 0
    messages = {finding.message for finding in picture_findings(pictures)}
    assert messages == {
        "cam02: repeats one picture in frames 5 to 11 while others change",
        "cam04: black in frames 20 to 21",
    }


def test_a_scene_without_motion_is_not_frozen() -> None:
    still = {name: np.repeat(found[:1], 10, axis=0) for name, found in blob_pictures().items()}
    assert picture_findings(still) == []


def test_a_duplicate_names_the_camera_that_it_shows() -> None:
    pictures = blob_pictures()
    noise = np.random.default_rng(0).integers(-1, 2, pictures["cam03"].shape)
    pictures["cam05"] = (pictures["cam03"].astype(np.int16) + noise).clip(0, 255).astype(np.uint8)
    (finding,) = picture_findings(pictures)
    assert (finding.kind, finding.cameras) == ("duplicate", ("cam05",))
    assert finding.message == "cam05: shows the same pictures as cam03"


def test_pictures_of_one_colour_are_not_duplicates() -> None:
    assert picture_findings({name: np.full((4, 12, 16), 90, np.uint8) for name in NAMES}) == []
