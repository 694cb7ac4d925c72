"""Descriptions, pictures and messages of the fake server, which renders a chessboard instead of a clip."""

import io
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

_BT709 = 1  # of ITU-T H.273, for all three colour tags
FRAMES, FPS, WIDTH, HEIGHT = 30, 30.0, 64, 48


def cameras(count: int = 5) -> list[dict[str, Any]]:
    """Cameras side by side, 4 from the focus at the origin, cam00 held out."""
    positions = [0.0, -1.0, -0.5, 0.5, 1.0][:count]
    return [
        {
            "name": f"cam{index:02d}", "role": "held_out" if index == 0 else "training",
            "width": WIDTH, "height": HEIGHT, "fov": 45.0,
            "camera_to_world": [1, 0, 0, x, 0, 1, 0, 0.5, 0, 0, 1, 4],
        }
        for index, x in enumerate(positions)
    ]  # fmt: skip


def description(frames: int = FRAMES) -> dict[str, Any]:
    """The description of a clip of ``frames`` frames."""
    return {
        "name": "board", "page": "watch/board", "poster": "clips/board.jpg",
        "frames": frames, "fps": FPS, "seconds": frames / FPS, "bytes": 123_456,
        "etag": '"a"', "layers": 3, "field": "planes", "width": WIDTH, "height": HEIGHT, "cameras": cameras(),
        "volume": {"points": [[x, 0.5 + y, 4] for x in (-1, 1) for y in (-0.3, 0.3)], "margin": 0.2},
        "focus": [0, 0, 0], "up": [0, 1, 0], "near": 0.5, "far": 12,
    }  # fmt: skip


def chessboard(view: dict[str, Any]) -> np.ndarray:
    """What a view shows, uint8 (height, width, 3): a floor at y = -1 and a sky that varies by frame."""
    width, height = view["width"], view["height"]
    pose = np.array(view["camera_to_world"], dtype=np.float64).reshape(3, 4)
    focal = height / 2 / np.tan(np.radians(view["fov"]) / 2)
    rows, columns = np.mgrid[:height, :width] + 0.5
    local = np.stack(
        [(columns - width / 2) / focal, (height / 2 - rows) / focal, -np.ones_like(rows)], axis=-1
    )
    x, y, z = np.moveaxis(local @ pose[:, :3].T, -1, 0)
    distance = (-1 - pose[1, 3]) / np.where(y < -1e-3, y, -1e-3)
    board = (np.floor(pose[0, 3] + distance * x) + np.floor(pose[2, 3] + distance * z)) % 2
    floor = (60 + 140 * board)[..., None] * [1.0, 0.9, 0.75]
    sky = np.broadcast_to([40.0, 60.0, 40.0 + 6 * view["frame"]], floor.shape)
    return np.where(((y < -1e-3) & (distance > 0))[..., None], floor, sky).clip(0, 255).astype(np.uint8)


def jpeg(view: dict[str, Any]) -> bytes:
    """The picture of a view as JPEG."""
    data = io.BytesIO()
    Image.fromarray(chessboard(view)).save(data, "JPEG", quality=95, subsampling=0)
    return data.getvalue()


class Avc:
    """An H.264 encoder as in the protocol: Annex B, baseline, a key picture whenever the size changes."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._context: Any = None

    def code(self, picture: np.ndarray) -> tuple[bytes, bool]:
        """One access unit, and whether it is a key picture."""
        height, width, _ = picture.shape
        key = self._size != (width, height)
        if key:
            self._size = (width, height)
            self._context = av.CodecContext.create("libx264", "w")
            self._context.width, self._context.height, self._context.pix_fmt = width, height, "yuv420p"
            self._context.time_base = Fraction(1, 30)
            options = {"tune": "zerolatency", "profile": "baseline", "crf": "10", "g": "100000"}
            self._context.options = options
            self._context.colorspace = self._context.color_primaries = self._context.color_trc = _BT709
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        coded = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        return b"".join(bytes(packet) for packet in self._context.encode(coded)), key


def message(view: dict[str, Any], *, final: bool = True, avc: Avc | None = None) -> bytes:
    """The binary message of a picture, coded as JPEG, or as the next one of a stream."""
    data, key = avc.code(chessboard(view)) if avc else (jpeg(view), True)
    head = struct.pack(
        "<BBBBIfHHffQ",
        *(1, 1 if avc else 0, (1 if key else 0) | (2 if final else 0), 1),
        *(view["id"], view["frame"], view["width"], view["height"]),
        *(1.0, 0.5, 99_000),
    )
    return head + data
