"""Stand-ins for CUDA graphs: one that records operations on a CPU as a GPU would, and ones that fail."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from dynerf_encoder.step.cuda_graph import CapturedGraph, Work

_aten = torch.ops.aten
_REFUSED = (
    _aten._local_scalar_dense.default,  # reads a number back
    _aten.lift_fresh.default,  # sends a Python number to the device
    _aten.nonzero.default,  # reads a size back
    _aten.masked_select.default,
)


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records torch's operations below autograd with their arguments and the addresses of their tensors.

    As in a CUDA graph, numbers are frozen, and a tensor is its storage at the time of recording. What a GPU
    cannot capture is refused: numbers transferred between device and Python, and generators.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._created: set[int] = set()  # storages created while recording
        self._initial: dict[int, tuple[Tensor, Tensor]] = {}  # storages written to, with a copy
        self._records: list[tuple[Any, Any, Any, list[Tensor] | None]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _REFUSED or kwargs.get("generator") is not None:
            raise RuntimeError(f"{func} is not permitted when stream is capturing")
        changes = func._schema.is_mutable
        if changes:
            self._remember(func, args, kwargs)
        recorded = tree_map(_current, (args, kwargs))
        out = func(*args, **kwargs)
        results = list(_tensors(out))
        input_storages = {_storage(each) for each in _tensors((args, kwargs))}
        if changes:
            self._records.append((func, *recorded, None))
        elif not all(_storage(each) in input_storages for each in results):  # not just a view
            self._created |= {_storage(each) for each in results}
            self._records.append((func, *recorded, [_current(each) for each in results]))
        return out

    def _remember(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        arguments = zip(func._schema.arguments, args, strict=False)
        written = [value for about, value in arguments if about.alias_info and about.alias_info.is_write]
        for each in _tensors((written, kwargs.get("out"))):
            if _storage(each) not in self._created | self._initial.keys():
                whole = torch.empty(0, dtype=each.dtype).set_(each.untyped_storage())
                self._initial[_storage(each)] = whole, whole.clone()

    @torch.no_grad()
    def undo(self) -> None:
        """Restore the initial contents: a GPU computes nothing while it records."""
        for target, value in self._initial.values():
            target.copy_(value)
        for *_, results in self._records:
            for each in results or []:
                if each.is_floating_point():
                    each.fill_(torch.nan)  # makes reads before a replay visible

    @torch.no_grad()
    def replay(self) -> None:
        """Compute everything again, each result in its storage."""
        for func, args, kwargs, results in self._records:
            outputs = func(*args, **kwargs)
            for target, value in zip(results or [], list(_tensors(outputs)), strict=False):
                target.copy_(value)


class RecordedGraphs:
    """Captures on a CPU by ``Tape``; ``captured`` and ``replayed`` are counts."""

    def __init__(self) -> None:
        self.eager_steps = self.captured = self.replayed = 0

    def run_on_capture_stream(self, work: Work) -> Tensor:
        self.eager_steps += 1
        return work()

    def capture(self, work: Work) -> CapturedGraph:
        tape = Tape()
        with tape:
            result = work()
        tape.undo()
        self.captured += 1
        return CapturedGraph(self._counted(tape.replay), result)

    def synchronise(self) -> None:
        """Nothing runs asynchronously here."""

    def _counted(self, replay: Callable[[], None]) -> Callable[[], None]:
        def counted() -> None:
            self.replayed += 1
            replay()

        return counted


class NoGraphs(RecordedGraphs):
    """A backend that cannot capture anything."""

    def capture(self, work: Work) -> CapturedGraph:
        raise RuntimeError("no graphs here")


class BrokenGraphs(RecordedGraphs):
    """A backend whose captures fail at the end, when the whole step has been recorded."""

    def capture(self, work: Work) -> CapturedGraph:
        super().capture(work)
        raise RuntimeError("CUDA error: operation failed\nwith more lines")


def _tensors(values: Any) -> Iterator[Tensor]:
    return (each for each in tree_leaves(values) if isinstance(each, Tensor))


def _storage(values: Tensor) -> int:
    return values.untyped_storage().data_ptr()


def _current(value: Any) -> Any:
    """A tensor with its current storage: parameters hold rounded values for a while."""
    return value.detach() if isinstance(value, Tensor) else value
