"""A sequence of pictures equals pictures rendered one by one, while the next is decoded in parallel."""

import threading
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.clip.playback import play
from dynerf_encoder.jobs.encode import Segmentation, encode
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_format import FileSource, FormatError, Reader
from support.encoding import Notes, one_thread, tiny_job, write_scene


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three segments of two frames; read only."""
    folder = tmp_path_factory.mktemp("playback")
    job = tiny_job(write_scene(folder / "scene", frames=6), folder / "clip.dnv")
    with one_thread():
        encode(job, Notes(), Segmentation(SegmentLength(Fraction(2), "f"), overlap=0))
    return job.output


class _Counting(Reader):
    """Records which thread reads which segment's weights."""

    def __init__(self, source: FileSource) -> None:
        super().__init__(source)
        self.read: list[tuple[int, bool]] = []

    def weights(self, segment: int, layers: int | None = None) -> dict[str, object]:  # type: ignore[override]
        self.read.append((segment, threading.current_thread() is threading.main_thread()))
        return super().weights(segment, layers)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "moments", [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 2.5, 2.5, 2.5, 0.0], [0.5, 1.5, 2.5, 4.25], [3.0], []]
)
def test_pictures_equal_those_rendered_one_by_one(long_clip: Path, moments: list[float]) -> None:
    with FileSource(long_clip) as source:
        clip, plain = Clip(Reader(source)), Clip(Reader(source))
        views = [(clip.cameras[index % 2], moment) for index, moment in enumerate(moments)]
        found = [picture.rgb for picture in play(clip, views)]
        clip.close()
        assert len(found) == len(views)
        for rgb, (camera, moment) in zip(found, views, strict=True):
            assert torch.equal(rgb, plain.render(camera, frame=moment).rgb)


def test_the_next_segment_is_loaded_ahead_only_if_it_will_be_shown(long_clip: Path) -> None:
    with FileSource(long_clip) as source:
        reader = _Counting(source)
        clip = Clip(reader)
        views = [(clip.cameras[0], float(frame)) for frame in range(4)]
        pictures = play(clip, views)
        next(pictures)
        clip.model(1)
        assert reader.read == [(0, True), (1, False)]
        assert len(list(pictures)) == 3
        assert [segment for segment, _ in reader.read] == [0, 1]
        clip.close()


def test_a_repeated_moment_is_folded_once(long_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[float] = []
    fold = Clip.fold

    def counting(self: Clip, frame: float) -> object:
        folded.append(frame)
        return fold(self, frame)

    monkeypatch.setattr(Clip, "fold", counting)
    with FileSource(long_clip) as source:
        clip = Clip(Reader(source))
        assert len(list(play(clip, [(clip.cameras[0], moment) for moment in (1.0, 1.0, 1.0, 0.0, 1.0)]))) == 5
    assert folded == [1.0, 0.0, 1.0]


def test_an_error_is_raised_in_place_of_its_picture_and_no_thread_remains(
    long_clip: Path, tmp_path: Path
) -> None:
    data = bytearray(long_clip.read_bytes())
    with FileSource(long_clip) as source:
        entry = next(e for e in Reader(source).directory if e.kind == b"WGHT" and e.segment == 1)
    data[entry.end - 1] ^= 1
    (tmp_path / "clip.dnv").write_bytes(data)
    before = {thread for thread in threading.enumerate() if not thread.name.startswith("parts")}
    with FileSource(tmp_path / "clip.dnv") as source:
        clip = Clip(Reader(source))
        pictures = play(clip, [(clip.cameras[0], float(frame)) for frame in range(4)])
        next(pictures)
        next(pictures)
        with pytest.raises(FormatError, match="damaged"):
            next(pictures)
        clip.close()
    after = {thread for thread in threading.enumerate() if not thread.name.startswith("parts")}
    assert after == before


def test_closing_half_way_leaves_no_thread(long_clip: Path) -> None:
    before = {thread for thread in threading.enumerate() if not thread.name.startswith("parts")}
    with FileSource(long_clip) as source:
        clip = Clip(Reader(source))
        pictures = play(clip, [(clip.cameras[0], float(frame)) for frame in range(6)])
        next(pictures)
        pictures.close()
        clip.close()
    after = {thread for thread in threading.enumerate() if not thread.name.startswith("parts")}
    assert after == before
