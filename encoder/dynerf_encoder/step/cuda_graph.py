"""Run a function over tensors at fixed addresses: a few times eagerly, then captured, then replayed.

A training step is some hundred small kernel launches, each of which costs the CPU more time than the GPU. A
CUDA graph captures the launches once and replays them with a single call. It records addresses and plain
numbers: whatever Python looks up during the capture is frozen. Therefore

- all that differs from step to step is copied into buffers, the same ones at every step;
- whatever else the step reads and writes (``persistent``: parameters, moments, learning rates) must keep its
  address. If an address, the inputs' shapes or the ``key`` change, the step is captured again.

The first steps of a key run eagerly, as warm-up: libraries initialise themselves, and whatever persistent
state the step creates exists before the capture. A capture computes nothing, so one that fails has changed
nothing: that step and all that follow are then run eagerly.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

_LOG = logging.getLogger(__name__)
_WARM_UP_STEPS = 3  # as torch's notes on CUDA graphs recommend
_MAX_ERROR_CHARACTERS = 200

Work = Callable[[], Tensor]
Step = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class CapturedGraph:
    """``replay`` computes the step again; its result is then in ``result``, each time at the same address."""

    replay: Callable[[], object]
    result: Tensor


@runtime_checkable
class GraphBackend(Protocol):
    """Captures work on a device."""

    def run_on_capture_stream(self, work: Work) -> Tensor:
        """Run ``work`` on the stream used for captures, after all work before and before all that follows."""
        ...

    def capture(self, work: Work) -> CapturedGraph:
        """Record ``work`` without computing anything."""
        ...

    def synchronise(self) -> None:
        """Wait until no replay is running, so that a captured graph can be released."""
        ...


class CudaGraphBackend:
    """CUDA graphs on a separate stream: the default stream cannot be captured."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run_on_capture_stream(self, work: Work) -> Tensor:
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = work()
        current.wait_stream(self._stream)
        return result

    def capture(self, work: Work) -> CapturedGraph:
        current = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        try:
            # Only this thread is checked: another may draw the next rays at the same time.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                result = work()
        finally:
            torch.cuda.set_stream(current)  # a failed capture does not restore it
        return CapturedGraph(graph.replay, result)

    def synchronise(self) -> None:
        torch.cuda.synchronize(self._device)


def graph_backend(device: torch.device) -> GraphBackend | None:
    """The backend that captures steps on a device; None on a CPU, where a launch is a call."""
    return CudaGraphBackend(device) if device.type == "cuda" else None


class GraphReplay:
    """Runs ``step`` on inputs; its result is valid until the next call."""

    def __init__(self, step: Step, persistent: Callable[[], Iterable[Tensor]], graphs: GraphBackend) -> None:
        self._step = step
        self._persistent = persistent
        self._graphs = graphs
        self._failed = False
        self._buffers: list[Tensor] = []
        self._key: Hashable = None
        self._warm_ups = 0
        self._captured: CapturedGraph | None = None

    def __call__(self, key: Hashable, inputs: Sequence[Tensor]) -> Tensor:
        """Run one step. Steps of one ``key`` must differ in the contents of their tensors only."""
        self._copy_inputs(inputs)
        if self._failed:
            return self._step(self._buffers)
        self._reset_if_changed(key)
        if self._captured is None and self._warm_ups < _WARM_UP_STEPS:
            self._warm_ups += 1
            return self._graphs.run_on_capture_stream(self._work)
        if self._captured is None:
            self._capture()
        if self._captured is None:
            return self._step(self._buffers)
        self._captured.replay()
        return self._captured.result

    def _work(self) -> Tensor:
        return self._step(self._buffers)

    def _copy_inputs(self, inputs: Sequence[Tensor]) -> None:
        if _shapes(inputs) != _shapes(self._buffers):
            self._buffers = [torch.empty_like(each) for each in inputs]
            self._key = None
        for buffer, each in zip(self._buffers, inputs, strict=True):
            buffer.copy_(each)

    def _reset_if_changed(self, key: Hashable) -> None:
        """Discard the captured graph if it would not compute this step."""
        addresses = tuple(each.data_ptr() for each in (*self._buffers, *self._persistent()))
        if (key, addresses) != self._key:
            if self._captured is not None:
                self._graphs.synchronise()
            self._key = key, addresses
            self._captured, self._warm_ups = None, 0  # frees the old graph's memory before the next capture

    def _capture(self) -> None:
        try:
            self._captured = self._graphs.capture(self._work)
        except Exception as error:  # from the driver, the allocator or any operation
            self._failed = True
            _LOG.warning("steps cannot be captured and are launched one by one: %s", one_line(error))


def one_line(error: Exception) -> str:
    """An error's type and message on one line, shortened."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_MAX_ERROR_CHARACTERS]}" if text else type(error).__name__


def _shapes(tensors: Sequence[Tensor]) -> list[tuple[object, ...]]:
    return [(each.shape, each.dtype, each.device) for each in tensors]
