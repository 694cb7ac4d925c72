"""H.264 encoding: the output decodes as one stream across changes of size."""

import numpy as np
import pytest
from av import CodecContext, Packet, VideoFrame
from av.video.codeccontext import VideoCodecContext

from dynerf_player.session.stream_encoder import AvcCoder, JpegCoder
from support.browser import psnr


def picture(width: int, height: int, shade: int) -> np.ndarray:
    """A grey ramp, brighter with ``shade``, without chroma."""
    ramp = np.linspace(20 + shade, 120 + shade, width).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()


def decoded(units: list[bytes]) -> list[VideoFrame]:
    codec = CodecContext.create("h264", "r")
    assert isinstance(codec, VideoCodecContext)
    frames = [frame for unit in units for frame in codec.decode(Packet(unit))]
    return frames + codec.decode(None)


def test_sizes_that_alternate_decode_as_one_stream() -> None:
    sizes = [(64, 48), (160, 96), (160, 96), (64, 48), (32, 32), (16, 16), (160, 96), (64, 48), (64, 48)]
    pictures = [picture(*size, shade=5 * number) for number, size in enumerate(sizes)]
    coder = AvcCoder()
    coded = [coder.encode(rgb) for rgb in pictures]
    assert [c.key for c in coded] == [True, True, False, True, True, True, True, True, False]
    frames = decoded([c.data for c in coded])
    for frame, rgb in zip(frames, pictures, strict=True):
        assert psnr(frame.to_ndarray(format="rgb24"), rgb) > 35


def test_a_key_picture_decodes_alone() -> None:
    coder = AvcCoder()
    coder.encode(picture(64, 48, 0))
    coded = coder.encode(picture(64, 48, 50), key=True)
    assert coded.key
    (frame,) = decoded([coded.data])
    assert psnr(frame.to_ndarray(format="rgb24"), picture(64, 48, 50)) > 35


@pytest.mark.parametrize("kind", [AvcCoder, JpegCoder])
def test_every_picture_is_encoded_without_delay(kind: type[AvcCoder] | type[JpegCoder]) -> None:
    coder = kind()
    assert all(coder.encode(picture(64, 48, shade)).data for shade in range(0, 100, 10))
