"""A step over tensors that stay where they are: done a few times, captured, then replayed.

A step of training is some hundred small launches, each of which costs the CPU longer than the GPU. A CUDA
graph records them once and makes them again at one word. What it records are addresses and plain numbers:
whatever Python looks up while a step is captured is frozen. Therefore

- all that differs from step to step is copied into buffers, the same ones at every step;
- what else the step reads and writes (``lasting``: parameters, moments, learning rates) must stay where it
  is. Where it has moved, or inputs have another shape, or the ``key`` is another, the step is captured anew.

The first steps of a key are done without a capture, in earnest: libraries set themselves up, and whatever the
step makes that lasts exists before it is captured. A capture computes nothing, so one that fails has changed
nothing: the step is then done as those before it, and so are all that follow.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

_LOG = logging.getLogger(__name__)
_WARM_STEPS = 3  # as torch's notes on CUDA graphs ask for
_LONGEST = 200  # characters of an error that are told

Work = Callable[[], Tensor]
Step = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Captured:
    """``replay`` computes the step again; its result is then in ``result``, each time in the same place."""

    replay: Callable[[], object]
    result: Tensor


@runtime_checkable
class Graphs(Protocol):
    """What captures work on a device."""

    def apart(self, work: Work) -> Tensor:
        """Do ``work`` where captures are made, after all that came before and before all that follows."""
        ...

    def capture(self, work: Work) -> Captured:
        """Record ``work`` without computing anything."""
        ...

    def rest(self) -> None:
        """Wait until no replay is under way; then what was captured may be given up."""
        ...


class CudaGraphs:
    """CUDA's, on a stream of their own: the default one cannot be captured."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def apart(self, work: Work) -> Tensor:
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            result = work()
        here.wait_stream(self._stream)
        return result

    def capture(self, work: Work) -> Captured:
        here = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        try:
            # Only this thread is watched: another may draw the next rays meanwhile.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                result = work()
        finally:
            torch.cuda.set_stream(here)  # which a failed capture does not return to
        return Captured(graph.replay, result)

    def rest(self) -> None:
        torch.cuda.synchronize(self._device)


def graphs_on(device: torch.device) -> Graphs | None:
    """What captures steps on a device; None on a CPU, where a launch is a call."""
    return CudaGraphs(device) if device.type == "cuda" else None


class GraphedStep:
    """``step`` of some inputs; its result is valid until the next step."""

    def __init__(self, step: Step, lasting: Callable[[], Iterable[Tensor]], graphs: Graphs) -> None:
        self._step = step
        self._lasting = lasting
        self._graphs = graphs
        self._failed = False
        self._buffers: list[Tensor] = []
        self._key: Hashable = None
        self._warm = 0
        self._captured: Captured | None = None

    def __call__(self, key: Hashable, inputs: Sequence[Tensor]) -> Tensor:
        """One step. Steps of one ``key`` must do the same but for what their tensors hold."""
        self._receive(inputs)
        if self._failed:
            return self._step(self._buffers)
        self._turn_to(key)
        if self._captured is None and self._warm < _WARM_STEPS:
            self._warm += 1
            return self._graphs.apart(self._work)
        if self._captured is None:
            self._capture()
        if self._captured is None:
            return self._step(self._buffers)
        self._captured.replay()
        return self._captured.result

    def _work(self) -> Tensor:
        return self._step(self._buffers)

    def _receive(self, inputs: Sequence[Tensor]) -> None:
        if _shapes(inputs) != _shapes(self._buffers):
            self._buffers = [torch.empty_like(each) for each in inputs]
            self._key = None
        for buffer, each in zip(self._buffers, inputs, strict=True):
            buffer.copy_(each)

    def _turn_to(self, key: Hashable) -> None:
        """Forget what was captured where it would not be this step."""
        places = tuple(each.data_ptr() for each in (*self._buffers, *self._lasting()))
        if (key, places) != self._key:
            if self._captured is not None:
                self._graphs.rest()
            self._key = key, places
            self._captured, self._warm = None, 0  # the old one's memory goes before the next is captured

    def _capture(self) -> None:
        try:
            self._captured = self._graphs.capture(self._work)
        except Exception as error:  # the driver's, the allocator's, each operation's own refusal
            self._failed = True
            _LOG.warning("steps cannot be captured and are launched one by one: %s", in_one_line(error))


def in_one_line(error: Exception) -> str:
    """An error and its reason, of which some speak at length and on lines of their own."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_LONGEST]}" if text else type(error).__name__


def _shapes(tensors: Sequence[Tensor]) -> list[tuple[object, ...]]:
    return [(each.shape, each.dtype, each.device) for each in tensors]
