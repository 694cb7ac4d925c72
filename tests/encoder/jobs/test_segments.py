"""How a clip is cut: every frame in one segment, in order, and trained on with its neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynerf_encoder.jobs.segments import plan_segments


@given(st.integers(0, 50), st.integers(1, 400), st.integers(1, 90), st.integers(0, 9))
def test_every_frame_is_shown_once_and_no_segment_is_much_shorter_or_longer(
    start: int, count: int, length: int, overlap: int
) -> None:
    frames = range(start, start + count)
    segments = plan_segments(frames, length, overlap)
    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert [frame for segment in segments for frame in segment.shown] == list(frames)
    assert all(len(segment.shown) == length for segment in segments[:-1])
    if len(segments) > 1:
        assert length <= 2 * len(segments[-1].shown) < 3 * length + 2
    for segment in segments:
        before, after = segment.overlap
        assert 0 <= before <= overlap
        assert 0 <= after <= overlap
        assert set(segment.shown) <= set(segment.trained) <= set(frames)
        assert before == overlap or segment.trained.start == start
        assert after == overlap or segment.trained.stop == frames.stop


@pytest.mark.parametrize(
    ("count", "lengths"),
    [(30, [10, 10, 10]), (34, [10, 10, 14]), (35, [10, 10, 10, 5]), (9, [9]), (14, [14])],
)
def test_a_short_last_one_is_merged_a_longer_one_kept(count: int, lengths: list[int]) -> None:
    assert [len(segment.shown) for segment in plan_segments(range(count), 10, 2)] == lengths
