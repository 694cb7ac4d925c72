"""Which method's offset is taken, and what is unknown or contradicted."""

from dynerf_encoder.calibration.synchronisation.combined import CameraOffset, MethodOffset, combine


def _clear(*frames: float | None) -> list[MethodOffset | None]:
    return [None if value is None else MethodOffset(float(value), 5.0, True) for value in frames]


def _whole(offsets: list[CameraOffset]) -> list[int | None]:
    return [offset.frames for offset in offsets]


def test_a_timecode_comes_before_sound_and_motion_confirms_it() -> None:
    found = combine(3, {"timecode": _clear(0, 3, 5), "motion": _clear(10.1, 13.0, 14.9)})
    assert _whole(found) == [0, 3, 5]
    assert {offset.method for offset in found} == {"timecode"}
    assert all(offset.confidence == "high" and offset.confirmed == ("motion",) for offset in found)


def test_methods_that_differ_leave_low_confidence_and_are_named() -> None:
    found = combine(4, {"timecode": _clear(0, 3, 5, 9), "motion": _clear(0, 3, 5, 4)})
    assert _whole(found) == [0, 3, 5, 9]
    assert [offset.confidence for offset in found] == ["high", "high", "high", "low"]
    assert found[3].contradicted == ("motion +4.0",)


def test_neither_sound_nor_motion_is_unknown_and_never_zero() -> None:
    unclear: list[MethodOffset | None] = [MethodOffset(2.0, 0.4, False)] * 3
    for found in (combine(3, {}), combine(3, {"motion": unclear}), combine(3, {"sound": [None] * 3})):
        assert _whole(found) == [None, None, None]
        assert all(offset.confidence == "unknown" and offset.exact is None for offset in found)


def test_a_camera_without_an_answer_is_unknown_beside_others() -> None:
    found = combine(
        3, {"sound": _clear(0.0, 2.2, None), "motion": [None, None, MethodOffset(7.0, 1.0, False)]}
    )
    assert _whole(found) == [0, 2, None]
    assert abs(found[1].fraction - 0.2) < 1e-9


def test_the_smallest_offset_is_zero() -> None:
    assert _whole(combine(3, {"motion": _clear(-4, 2, -7)})) == [3, 9, 0]
