"""The models of a clip's segments: a thread loads the next one while the present one is shown."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from .fields.field import Model

_MOST = 2  # models kept: the one that is shown, and the next


class SegmentModels:
    """Models by segment; those asked for or begun last are kept. Several threads may ask.

    A model's error is raised to whoever asks for it; asked for again, it is loaded again. The thread starts
    with the first ``begin`` and ends with ``close``.
    """

    def __init__(self, load: Callable[[int], Model]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Future[Model]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "models", torch.set_num_threads, (1,))
        self._closed = False

    def get(self, segment: int) -> Model:
        """The model of a segment, waiting for it where it is being loaded already."""
        with self._lock:
            future = self._kept.get(segment)
            if mine := future is None or _failed(future):
                future = Future()
            assert future is not None
            self._keep(segment, future)
        if mine:
            try:
                future.set_result(self._load(segment))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def begin(self, segment: int) -> None:
        """Have a segment's model loaded meanwhile, unless it is here or was tried."""
        with self._lock:
            if not self._closed and segment not in self._kept:
                self._keep(segment, self._thread.submit(self._load, segment))

    def segments(self) -> list[int]:
        """Segments whose models are here or being loaded."""
        with self._lock:
            return [segment for segment, future in self._kept.items() if not _failed(future)]

    def forget(self) -> None:
        """Keep nothing, not even what is being loaded."""
        with self._lock:
            for future in self._kept.values():
                future.cancel()
            self._kept.clear()

    def close(self) -> None:
        """End the thread, once what it is at is done. Models may still be asked for, and none is begun."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(cancel_futures=True)

    def _keep(self, segment: int, future: "Future[Model]") -> None:
        self._kept[segment] = future
        self._kept.move_to_end(segment)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)[1].cancel()


def _failed(future: "Future[Model]") -> bool:
    return future.cancelled() or (future.done() and future.exception() is not None)
