"""The GPU's coder is taken when it works, libx264 when it does not, and why is told."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from dynerf_decoder.video import h264 as gpu_codec
from dynerf_decoder.video.frame_writer import open_output
from dynerf_decoder.video.h264 import MOVIE, Codec, movie_codec, why_not
from support.video import flat_pictures

_INTRA = Codec("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "annexb=1"})


def test_pictures_of_a_cpu_are_coded_there() -> None:
    assert movie_codec(False, 64, 48) is MOVIE
    assert MOVIE.reason == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="NVENC may work here")
def test_what_does_not_open_is_told_and_the_cpu_takes_over() -> None:
    codec = movie_codec(True, 64, 48)
    assert (codec.name, codec.options) == (MOVIE.name, MOVIE.options)
    assert codec.reason.startswith("movies are coded on the CPU: h264_nvenc: ")
    assert len(codec.reason) > 45


def test_a_coder_nobody_built_in_is_no_error() -> None:
    assert "no_such_coder" in (why_not(Codec("no_such_coder"), 64, 48) or "")


def test_what_works_is_taken_and_writes_the_movie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another coder stands in for the GPU's; that of a GPU writes through the same lines."""
    monkeypatch.setattr(
        gpu_codec, "_MOVIE_ON_GPU", Codec("libx264", {"qp": "0", "preset": "ultrafast", "bf": "0"})
    )
    codec = movie_codec(True, 33, 24)
    assert (codec.options["qp"], codec.reason) == ("0", "")
    pictures = flat_pictures(5, 33, 24)
    with open_output(tmp_path / "a.mp4", 33, 24, Fraction(30), 5, codec) as output:
        for picture in pictures:
            output.write(picture)
    with av.open(str(tmp_path / "a.mp4")) as movie:
        shown = [frame.to_ndarray(format="gray")[0, 0] for frame in movie.decode(video=0)]
    assert (np.diff(np.array(shown, int)) > 0).all()


def test_live_pictures_must_come_out_at_once_with_their_parameters() -> None:
    assert why_not(_INTRA, 64, 48, at_once=True) is None
    late = Codec("libx264", {"preset": "medium"})
    assert why_not(late, 64, 48) is None
    assert why_not(late, 64, 48, at_once=True) == "libx264: does not give out each picture at once"
    headless = Codec("mpeg4")
    assert why_not(headless, 64, 48, at_once=True) == "mpeg4: does not give out each picture at once"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_one_of_the_two_codes_a_movie(tmp_path: Path) -> None:
    codec = movie_codec(True, 256, 192)
    assert (codec.name == "libx264") is bool(codec.reason)
    with open_output(tmp_path / "a.mp4", 256, 192, Fraction(30), 5, codec) as output:
        for picture in flat_pictures(5, 256, 192):
            output.write(picture)
