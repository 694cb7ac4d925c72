"""Caches the models of a clip's segments; a thread loads the next one while the current one is shown."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from dynerf_decoder.fields.field import Model

_CAPACITY = 2  # the current model and the next


class ModelCache:
    """Models by segment; those requested or prefetched last are kept. Thread-safe.

    An error while loading is raised in every caller that waits for the model; the next request loads it
    again. The thread starts with the first ``prefetch`` and ends with ``close``.

    A future is pending until one thread claims it, and only that thread completes it. Eviction removes a
    future from the cache but never cancels it: callers that wait for it hold a reference.
    """

    def __init__(self, load: Callable[[int], Model]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._futures: OrderedDict[int, Future[Model]] = OrderedDict()
        self._executor = ThreadPoolExecutor(1, "models", torch.set_num_threads, (1,))
        self._closed = False

    def get(self, segment: int) -> Model:
        """The model of a segment, loaded in this thread unless another is already loading it."""
        with self._lock:
            future = self._futures.get(segment)
            if future is None or _failed(future):
                future = Future()
            self._insert(segment, future)
            claimed = _claim(future)
        if claimed:
            self._complete(segment, future)
        return future.result()

    def prefetch(self, segment: int) -> None:
        """Load a segment's model in the thread, unless it is cached or has failed to load."""
        with self._lock:
            if self._closed or segment in self._futures:
                return
            future: Future[Model] = Future()
            self._insert(segment, future)
            self._executor.submit(self._load_pending, segment, future)

    def segments(self) -> list[int]:
        """Segments whose models are cached or being loaded."""
        with self._lock:
            return [segment for segment, future in self._futures.items() if not _failed(future)]

    def clear(self) -> None:
        """Remove all models, including those being loaded."""
        with self._lock:
            self._futures.clear()

    def close(self, *, wait: bool = True) -> None:
        """End the thread; with ``wait``, after its current load. Then ``prefetch`` does nothing."""
        with self._lock:
            self._closed = True
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def _load_pending(self, segment: int, future: "Future[Model]") -> None:
        """Load a prefetched model, unless it has been evicted or another thread is loading it."""
        with self._lock:
            claimed = self._futures.get(segment) is future and _claim(future)
        if claimed:
            self._complete(segment, future)

    def _complete(self, segment: int, future: "Future[Model]") -> None:
        try:
            model = self._load(segment)
        except BaseException as error:  # KeyboardInterrupt too: other threads may wait for this future
            future.set_exception(error)
        else:
            future.set_result(model)

    def _insert(self, segment: int, future: "Future[Model]") -> None:
        self._futures[segment] = future
        self._futures.move_to_end(segment)
        while len(self._futures) > _CAPACITY:
            self._futures.popitem(last=False)


def _claim(future: "Future[Model]") -> bool:
    """Whether the caller must complete the future. Call with the lock held."""
    return not (future.running() or future.done()) and future.set_running_or_notify_cancel()


def _failed(future: "Future[Model]") -> bool:
    return future.done() and future.exception() is not None
