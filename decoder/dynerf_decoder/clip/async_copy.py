"""Copies rendered pictures from the device to main memory while the next one is rendered.

A GPU runs asynchronously: waiting for one picture before launching the next would leave it idle while the
picture is copied and encoded. So each picture is awaited only after the next has been launched. Copies use a
separate stream and pinned memory, which lets them overlap with rendering. On a CPU pictures are available
immediately.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_decoder.render.frame import rounded_rgb


class AsyncCopy:
    """The copy of one picture to main memory; ``result`` waits for it."""

    def __init__(self, pixels: UInt8[Tensor, "height width 3"], stream: "torch.cuda.Stream | None") -> None:
        self._done: torch.cuda.Event | None = None
        if stream is None:
            self._pixels = pixels.cpu()
            return
        self._pixels = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        stream.wait_stream(torch.cuda.current_stream(pixels.device))
        with torch.cuda.stream(stream):
            self._pixels.copy_(pixels, non_blocking=True)
            pixels.record_stream(stream)  # keeps its memory from being reused before the copy ends
            self._done = stream.record_event()

    def result(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture, in main memory."""
        if self._done is not None:
            self._done.synchronize()
        pixels: np.ndarray = self._pixels.numpy()
        return pixels


def copy_frames(
    pictures: Iterable[Float[Tensor, "height width 3"]], device: torch.device
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pictures with RGB in 0..1, rounded to 8 bits, in main memory, in order.

    On a GPU each is yielded once the next has been launched.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    previous: AsyncCopy | None = None
    for rgb in pictures:
        copy = AsyncCopy(rounded_rgb(rgb), stream)
        if stream is None:
            yield copy.result()
            continue
        if previous is not None:
            yield previous.result()
        previous = copy
    if previous is not None:
        yield previous.result()
