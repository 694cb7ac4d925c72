"""The models of a clip's segments: a thread loads the next one while the present one is shown."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from dynerf_decoder.fields.field import Model

_MOST = 2  # models kept: the one that is shown, and the next


class ModelCache:
    """Models by segment; those requested or begun last are kept. Several threads may request them.

    A model's error is raised to every caller that waits for it; requested again, it is loaded again. The
    thread starts with the first ``begin`` and ends with ``close``.

    A future is pending until one thread claims it, and that thread alone completes it. Eviction removes a
    future from the cache and never cancels it: whoever waits for it holds it.
    """

    def __init__(self, load: Callable[[int], Model]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Future[Model]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "models", torch.set_num_threads, (1,))
        self._closed = False

    def get(self, segment: int) -> Model:
        """The model of a segment, loaded here unless another thread is at it already."""
        with self._lock:
            future = self._kept.get(segment)
            if future is None or _failed(future):
                future = Future()
            self._keep(segment, future)
            mine = _claim(future)
        if mine:
            self._complete(segment, future)
        return future.result()

    def begin(self, segment: int) -> None:
        """Have a segment's model loaded meanwhile, unless it is here or was tried."""
        with self._lock:
            if self._closed or segment in self._kept:
                return
            future: Future[Model] = Future()
            self._keep(segment, future)
            self._thread.submit(self._load_begun, segment, future)

    def segments(self) -> list[int]:
        """Segments whose models are here or being loaded."""
        with self._lock:
            return [segment for segment, future in self._kept.items() if not _failed(future)]

    def forget(self) -> None:
        """Keep nothing, not even what is being loaded."""
        with self._lock:
            self._kept.clear()

    def close(self, *, wait: bool = True) -> None:
        """End the thread; ``wait`` for what it is at. Models may still be requested, and none is begun."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(wait=wait, cancel_futures=True)

    def _load_begun(self, segment: int, future: "Future[Model]") -> None:
        """Load what was begun, unless it was evicted meanwhile or another thread loads it."""
        with self._lock:
            wanted = self._kept.get(segment) is future and _claim(future)
        if wanted:
            self._complete(segment, future)

    def _complete(self, segment: int, future: "Future[Model]") -> None:
        try:
            model = self._load(segment)
        except BaseException as error:  # an interrupt too: other threads may be waiting for this future
            future.set_exception(error)
        else:
            future.set_result(model)

    def _keep(self, segment: int, future: "Future[Model]") -> None:
        self._kept[segment] = future
        self._kept.move_to_end(segment)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)


def _claim(future: "Future[Model]") -> bool:
    """Whether the caller is the one to complete the future; under the lock."""
    return not (future.running() or future.done()) and future.set_running_or_notify_cancel()


def _failed(future: "Future[Model]") -> bool:
    return future.done() and future.exception() is not None
