"""Where a clip is cut: every frame in one segment, in order, and trained on with its neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_encoder.jobs.segments import plan_parts


@given(st.integers(0, 50), st.integers(1, 400), st.integers(1, 90), st.integers(0, 9))
def test_every_frame_is_shown_once_and_no_segment_is_much_shorter_or_longer(
    start: int, count: int, length: int, overlap: int
) -> None:
    frames = range(start, start + count)
    parts = plan_parts(frames, length, overlap)
    assert [part.number for part in parts] == list(range(len(parts)))
    assert [frame for part in parts for frame in part.shown] == list(frames)
    assert all(len(part.shown) == length for part in parts[:-1])
    if len(parts) > 1:
        assert length <= 2 * len(parts[-1].shown) < 3 * length + 2
    for part in parts:
        before, after = part.overlap
        assert 0 <= before <= overlap
        assert 0 <= after <= overlap
        assert set(part.shown) <= set(part.trained) <= set(frames)
        assert before == overlap or part.trained.start == start
        assert after == overlap or part.trained.stop == frames.stop


@pytest.mark.parametrize(
    ("count", "lengths"),
    [(30, [10, 10, 10]), (34, [10, 10, 14]), (35, [10, 10, 10, 5]), (9, [9]), (14, [14])],
)
def test_a_short_last_one_is_merged_a_longer_one_kept(count: int, lengths: list[int]) -> None:
    assert [len(part.shown) for part in plan_parts(range(count), 10, 2)] == lengths
