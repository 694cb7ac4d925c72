"""The GPU's coder is taken when it works, libx264 when it does not, and why is told."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from dynerf_decoder.video import h264 as gpu_codec
from dynerf_decoder.video.frame_writer import open_output
from dynerf_decoder.video.h264 import X264_VIDEO, Codec, unusable_reason, video_codec
from support.video import flat_pictures

_INTRA = Codec("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "annexb=1"})


def test_pictures_of_a_cpu_are_coded_there() -> None:
    assert video_codec(False, 64, 48) is X264_VIDEO
    assert X264_VIDEO.reason == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="NVENC may work here")
def test_what_does_not_open_is_told_and_the_cpu_takes_over() -> None:
    codec = video_codec(True, 64, 48)
    assert (codec.name, codec.options) == (X264_VIDEO.name, X264_VIDEO.options)
    assert codec.reason.startswith("videos are encoded on the CPU: h264_nvenc: ")
    assert len(codec.reason) > 45


def test_a_coder_nobody_built_in_is_no_error() -> None:
    assert "no_such_coder" in (unusable_reason(Codec("no_such_coder"), 64, 48) or "")


def test_what_works_is_taken_and_writes_the_movie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another coder stands in for the GPU's; that of a GPU writes through the same lines."""
    monkeypatch.setattr(
        gpu_codec, "_MOVIE_ON_GPU", Codec("libx264", {"qp": "0", "preset": "ultrafast", "bf": "0"})
    )
    codec = video_codec(True, 33, 24)
    assert (codec.options["qp"], codec.reason) == ("0", "")
    pictures = flat_pictures(5, 33, 24)
    with open_output(tmp_path / "a.mp4", 33, 24, Fraction(30), 5, codec) as output:
        for picture in pictures:
            output.write(picture)
    with av.open(str(tmp_path / "a.mp4")) as movie:
        shown = [frame.to_ndarray(format="gray")[0, 0] for frame in movie.decode(video=0)]
    assert (np.diff(np.array(shown, int)) > 0).all()


def test_live_pictures_must_come_out_at_once_with_their_parameters() -> None:
    assert unusable_reason(_INTRA, 64, 48, at_once=True) is None
    late = Codec("libx264", {"preset": "medium"})
    assert unusable_reason(late, 64, 48) is None
    assert unusable_reason(late, 64, 48, at_once=True) == "libx264: does not output each picture at once"
    headless = Codec("mpeg4")
    assert unusable_reason(headless, 64, 48, at_once=True) == "mpeg4: does not output each picture at once"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_one_of_the_two_codes_a_movie(tmp_path: Path) -> None:
    codec = video_codec(True, 256, 192)
    assert (codec.name == "libx264") is bool(codec.reason)
    with open_output(tmp_path / "a.mp4", 256, 192, Fraction(30), 5, codec) as output:
        for picture in flat_pictures(5, 256, 192):
            output.write(picture)
