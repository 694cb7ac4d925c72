"""Pictures on their way from the device that renders them to main memory, while the next one is rendered.

A GPU is told what to do and does it later. Waiting for one picture before telling it the next leaves it idle
while the picture is copied and coded, so a picture is asked for only when the next has been told. Copies go
by a stream of their own into memory that the system does not move, which is what lets them run beside
rendering. On a CPU nothing is put off: a picture is there at once.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_decoder.render.frame import rounded_rgb


class AsyncCopy:
    """One picture leaving its device; ``take`` waits for it."""

    def __init__(self, pixels: UInt8[Tensor, "height width 3"], stream: "torch.cuda.Stream | None") -> None:
        self._done: torch.cuda.Event | None = None
        if stream is None:
            self._pixels = pixels.cpu()
            return
        self._pixels = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        stream.wait_stream(torch.cuda.current_stream(pixels.device))
        with torch.cuda.stream(stream):
            self._pixels.copy_(pixels, non_blocking=True)
            pixels.record_stream(stream)  # its memory must not be given to the next picture before
            self._done = stream.record_event()

    def take(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture, in main memory."""
        if self._done is not None:
            self._done.synchronize()
        pixels: np.ndarray = self._pixels.numpy()
        return pixels


def handed_over(
    pictures: Iterable[Float[Tensor, "height width 3"]], device: torch.device
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pictures with RGB in 0..1, as they are rendered, rounded to 8 bits, in order.

    On a GPU each is given out once the next has been asked for.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    ahead: AsyncCopy | None = None
    for rgb in pictures:
        started = AsyncCopy(rounded_rgb(rgb), stream)
        if stream is None:
            yield started.take()
            continue
        if ahead is not None:
            yield ahead.take()
        ahead = started
    if ahead is not None:
        yield ahead.take()
