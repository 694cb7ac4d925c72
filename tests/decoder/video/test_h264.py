"""The GPU's encoder is used when it works, else libx264 with a reason."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from dynerf_decoder.video import h264
from dynerf_decoder.video.frame_writer import open_output
from dynerf_decoder.video.h264 import X264_VIDEO, Codec, unusable_reason, video_codec
from support.video import flat_pictures

_INTRA = Codec("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "annexb=1"})


def test_pictures_rendered_on_a_cpu_are_encoded_there() -> None:
    assert video_codec(False, 64, 48) is X264_VIDEO
    assert X264_VIDEO.reason == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="NVENC may work here")
def test_an_encoder_that_does_not_open_is_reported_and_the_cpu_is_used() -> None:
    codec = video_codec(True, 64, 48)
    assert (codec.name, codec.options) == (X264_VIDEO.name, X264_VIDEO.options)
    assert codec.reason.startswith("videos are encoded on the CPU: h264_nvenc: ")
    assert len(codec.reason) > 45


def test_an_unknown_encoder_is_not_an_error() -> None:
    assert "no_such_encoder" in (unusable_reason(Codec("no_such_encoder"), 64, 48) or "")


def test_a_working_encoder_writes_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another encoder stands in for the GPU's, which would use the same code."""
    monkeypatch.setattr(h264, "_NVENC_VIDEO", Codec("libx264", {"qp": "0", "preset": "ultrafast", "bf": "0"}))
    codec = video_codec(True, 33, 24)
    assert (codec.options["qp"], codec.reason) == ("0", "")
    pictures = flat_pictures(5, 33, 24)
    with open_output(tmp_path / "a.mp4", 33, 24, Fraction(30), 5, codec) as output:
        for picture in pictures:
            output.write(picture)
    with av.open(str(tmp_path / "a.mp4")) as movie:
        shown = [frame.to_ndarray(format="gray")[0, 0] for frame in movie.decode(video=0)]
    assert (np.diff(np.array(shown, int)) > 0).all()


def test_live_pictures_must_be_output_at_once_with_their_parameters() -> None:
    assert unusable_reason(_INTRA, 64, 48, at_once=True) is None
    buffering = Codec("libx264", {"preset": "medium"})
    assert unusable_reason(buffering, 64, 48) is None
    assert unusable_reason(buffering, 64, 48, at_once=True) == "libx264: does not output each picture at once"
    no_parameters = Codec("mpeg4")
    assert (
        unusable_reason(no_parameters, 64, 48, at_once=True) == "mpeg4: does not output each picture at once"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_one_of_the_two_encodes_a_video(tmp_path: Path) -> None:
    codec = video_codec(True, 256, 192)
    assert (codec.name == "libx264") is bool(codec.reason)
    with open_output(tmp_path / "a.mp4", 256, 192, Fraction(30), 5, codec) as output:
        for picture in flat_pictures(5, 256, 192):
            output.write(picture)
