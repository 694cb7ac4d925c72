"""Checks how pictures are to be presented, as container, stream and decoded frame state it.

The encoder uses the samples of a picture as decoded, turned upright. Whatever else a player would do to them
beyond colour conversion (mirror, stretch, crop, deinterlace, split, project) is refused by name, with the
remedy.
``docs/reference/captures.md`` lists all statements and how each is handled.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dynerf_format.errors import CaptureError

from .orientation import quarter_turns

_MAX_STRETCH = Fraction(1, 100)  # from square pixels
_FIELD_ORDERS = {2: "top", 3: "bottom", 4: "top", 5: "bottom"}  # AVFieldOrder: the field coded first
_CROPPING = re.compile(r"Frame Cropping: ([0-9]+)/([0-9]+)/([0-9]+)/([0-9]+)")
_STEREO = {1: "side by side", 2: "one above the other", 3: "frame sequential", 4: "as a chequerboard"}
_NOT_STEREO = (0, 8)  # AVStereo3DType: 2D, unspecified
_RECTILINEAR = 4  # AVSphericalProjection
_PROJECTIONS = {0: "equirectangular", 1: "cube map", 2: "equirectangular", 3: "equirectangular", 5: "fisheye"}
_DYNAMIC_HDR = {
    Type.DOVI_METADATA: "Dolby Vision",
    Type.DOVI_RPU_BUFFER: "Dolby Vision",
    Type.DYNAMIC_HDR_PLUS: "HDR10+",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid",
}


def check_stream(stream: VideoStream, where: str) -> None:
    """CaptureError when a stream whose first frame was decoded is interlaced or its pixels are not square."""
    ratio = stream.sample_aspect_ratio
    if ratio and abs(ratio - 1) > _MAX_STRETCH:
        raise CaptureError(
            f"{where}: pixels are {ratio} times as wide as high, expected square pixels; scale the pictures: "
            "ffmpeg -i IN -vf scale=iw*sar:ih,setsar=1 OUT"
        )
    field = _FIELD_ORDERS.get(stream.codec_context.field_order)
    if field is not None:
        raise CaptureError(_interlaced(where, f"{field} field first"))


def check_container(container: InputContainer, stream: VideoStream, where: str) -> None:
    """CaptureError when the container crops the pictures. Call this before any frame is decoded."""
    cropping = stated_cropping(container, stream)
    if any(cropping):
        raise CaptureError(
            f"{where}: the container crops the pictures by {'/'.join(map(str, cropping))} pixels "
            "(left/right/top/bottom), expected no cropping; re-encode with ffmpeg, which applies it"
        )


def check_frame(frame: VideoFrame, where: str) -> int:
    """The quarter turns that show a decoded frame upright (``orientation``); includes ``check_flags``.

    Raises CaptureError when the frame is to be presented in another way than as decoded and turned.
    Only for the first frame of a video: in PyAV reading a frame's side data creates a reference cycle, which
    keeps the frame in memory until the next garbage collection.
    """
    check_flags(frame, where)
    stated = cast("SideDataContainer", frame.side_data)  # PyAV's stubs declare another type
    return check_side_data({data.type: bytes(data) for data in stated}, where)


def check_flags(frame: VideoFrame, where: str) -> None:
    """CaptureError when a frame is interlaced. Cheap enough for every frame of a video."""
    if frame.interlaced_frame:
        raise CaptureError(_interlaced(where, "by the flags of its frames"))


def check_side_data(side_data: Mapping[Type, bytes], where: str) -> int:
    """The quarter turns by a frame's side data. Raises CaptureError unless it is a plain SDR picture."""
    for kind, name in _DYNAMIC_HDR.items():
        if kind in side_data:
            raise CaptureError(f"{where}: HDR video ({name}), expected SDR; convert it to BT.709 first")
    if Type.STEREO3D in side_data:
        _check_stereo(_first_integer(side_data[Type.STEREO3D]), where)
    if Type.SPHERICAL in side_data:
        _check_projection(_first_integer(side_data[Type.SPHERICAL]), where)
    matrix = side_data.get(Type.DISPLAYMATRIX)
    return 0 if matrix is None else quarter_turns(matrix, where)


def stated_cropping(container: InputContainer, stream: VideoStream) -> tuple[int, ...]:
    """Pixels that the container crops at the left, right, top and bottom (``clap``, PixelCrop).

    PyAV exposes this only in its description of the file, which is empty unless FFmpeg's log is on. The log
    must be off again before frames are decoded: PyAV deadlocks when a decoder thread logs.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description = container.dumps_format()  # type: ignore[attr-defined]  # not in PyAV's stubs
    finally:
        av.logging.set_level(level)
    _, _, rest = description.partition(f"Stream #0:{stream.index}")
    found = _CROPPING.search(rest.partition("Stream #0:")[0])
    return tuple(int(side) for side in found.groups()) if found else ()


def _interlaced(where: str, found: str) -> str:
    return (
        f"{where}: is interlaced ({found}): each frame holds two instants; expected progressive video; "
        "deinterlace it first: ffmpeg -i IN -vf bwdif=send_frame OUT (or -vf yadif)"
    )


def _check_stereo(packing: int, where: str) -> None:
    if packing not in _NOT_STEREO:
        how = _STEREO.get(packing, "interleaved")
        raise CaptureError(
            f"{where}: is stereoscopic, with two views in one picture ({how}), expected one view; make a "
            "video of each"
        )


def _check_projection(projection: int, where: str) -> None:
    if projection != _RECTILINEAR:
        name = _PROJECTIONS.get(projection, "immersive")
        raise CaptureError(
            f"{where}: is a 360 degree video ({name} projection), expected the picture of a pinhole camera"
        )


def _first_integer(data: bytes) -> int:
    return int(np.frombuffer(data, np.int32, 1)[0])
