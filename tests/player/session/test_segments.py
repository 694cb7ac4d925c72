"""Playback across segments: the next model is loaded before it is needed."""

from concurrent.futures import wait
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dynerf_decoder.clip.clip import Clip
from dynerf_encoder.jobs.encode import Segmentation, encode
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_format import FileSource, FormatError, Reader
from dynerf_player.library.shared_clip import SharedClip
from support.encoding import Notes, one_thread, tiny_job, write_scene


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three segments of three frames; read-only."""
    folder = tmp_path_factory.mktemp("segments")
    job = tiny_job(write_scene(folder / "scene", frames=9), folder / "clip.dnv")
    with one_thread():
        encode(job, Notes(), Segmentation(SegmentLength(Fraction(3), "f"), overlap=0))
    return job.output


class _Counting(Reader):
    """Records which segments' weights are read."""

    def __init__(self, source: FileSource) -> None:
        super().__init__(source)
        self.read: list[int] = []

    def weights(self, segment: int, layers: int | None = None) -> dict[str, object]:  # type: ignore[override]
        self.read.append(segment)
        return super().weights(segment, layers)  # type: ignore[return-value]


def _settle(clip: SharedClip) -> None:
    """Wait until all loads have ended, failed ones included."""
    wait(list(clip._models._futures.values()))


def test_the_next_model_is_loaded_before_its_first_frame_and_the_current_one_is_kept(long_clip: Path) -> None:
    with FileSource(long_clip) as source:
        reader = _Counting(source)
        clip = SharedClip(reader)
        clip.fold(1.0)
        _settle(clip)
        assert reader.read == [0, 1]
        clip.fold(2.0)
        clip.fold(3.0)
        _settle(clip)
        assert reader.read == [0, 1, 2]
        for frame in (4.0, 6.0, 8.0):
            clip.fold(frame)
            _settle(clip)
        assert reader.read == [0, 1, 2, 0]
        assert set(clip._models.segments()) == {2, 0}, "the first segment follows the last: clips loop"
        clip.close()


def test_pictures_equal_those_of_a_clip_without_prefetching(long_clip: Path) -> None:
    with FileSource(long_clip) as source:
        shared, plain = SharedClip(Reader(source)), Clip(Reader(source))
        camera = plain.cameras[0]
        for frame in (0.0, 2.0, 2.7, 3.0, 5.5, 8.0, 1.0):
            found, expected = shared.render(camera, frame=frame).rgb, plain.render(camera, frame=frame).rgb
            assert torch.equal(found, expected)
        shared.close()


def test_a_damaged_next_segment_does_not_disturb_this_one(long_clip: Path, tmp_path: Path) -> None:
    data = bytearray(long_clip.read_bytes())
    with FileSource(long_clip) as source:
        entry = next(e for e in Reader(source).directory if e.kind == b"WGHT" and e.segment == 1)
    data[entry.end - 1] ^= 1
    (tmp_path / "clip.dnv").write_bytes(data)
    with FileSource(tmp_path / "clip.dnv") as source:
        clip = SharedClip(Reader(source))
        before = clip.render(clip.cameras[0], frame=1.0).numpy()
        _settle(clip)
        assert np.array_equal(clip.render(clip.cameras[0], frame=1.0).numpy(), before)
        with pytest.raises(FormatError, match="damaged"):
            clip.fold(3.0)
        clip.close()
