"""Stand-ins for CUDA graphs: one that records operations on a CPU as a GPU would, and ones that fail."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from dynerf_encoder.step.cuda_graph import Captured, Work

_aten = torch.ops.aten
_REFUSED = (
    _aten._local_scalar_dense.default,  # a number asked back
    _aten.lift_fresh.default,  # a number of Python's sent to the device
    _aten.nonzero.default,  # a size asked back
    _aten.masked_select.default,
)


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records torch's operations below autograd: what they are told, and where their tensors lie.

    As in a CUDA graph numbers are frozen, and a tensor is the place it had when it was recorded. What a GPU
    cannot capture is refused: numbers that travel between it and Python, and generators.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made: set[int] = set()  # storages that are the recording's own
        self._before: dict[int, tuple[Tensor, Tensor]] = {}  # places written to, with what they held
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
        told = tree_map(_place, (args, kwargs))
        out = func(*args, **kwargs)
        results = list(_tensors(out))
        known = {_storage(each) for each in _tensors((args, kwargs))}
        if changes:
            self._records.append((func, *told, None))
        elif not all(_storage(each) in known for each in results):  # else a view, which computes nothing
            self._made |= {_storage(each) for each in results}
            self._records.append((func, *told, [_place(each) for each in results]))
        return out

    def _remember(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        given = zip(func._schema.arguments, args, strict=False)
        written = [value for about, value in given if about.alias_info and about.alias_info.is_write]
        for each in _tensors((written, kwargs.get("out"))):
            if _storage(each) not in self._made | self._before.keys():
                whole = torch.empty(0, dtype=each.dtype).set_(each.untyped_storage())
                self._before[_storage(each)] = whole, whole.clone()

    @torch.no_grad()
    def undo(self) -> None:
        """Put back what was there before: a GPU computes nothing while it records."""
        for place, value in self._before.values():
            place.copy_(value)
        for *_, results in self._records:
            for each in results or []:
                if each.is_floating_point():
                    each.fill_(torch.nan)  # whoever reads it before a replay shall see it

    @torch.no_grad()
    def replay(self) -> None:
        """Compute everything again, each result in its place."""
        for func, args, kwargs, results in self._records:
            found = func(*args, **kwargs)
            for place, value in zip(results or [], list(_tensors(found)), strict=False):
                place.copy_(value)


class RecordedGraphs:
    """Captures on a CPU by ``Tape``; ``captured`` and ``replayed`` count."""

    def __init__(self) -> None:
        self.apart_steps = self.captured = self.replayed = 0

    def apart(self, work: Work) -> Tensor:
        self.apart_steps += 1
        return work()

    def capture(self, work: Work) -> Captured:
        tape = Tape()
        with tape:
            result = work()
        tape.undo()
        self.captured += 1
        return Captured(self._counted(tape.replay), result)

    def rest(self) -> None:
        """Nothing goes on by itself here."""

    def _counted(self, replay: Callable[[], None]) -> Callable[[], None]:
        def counted() -> None:
            self.replayed += 1
            replay()

        return counted


class NoGraphs(RecordedGraphs):
    """A device that captures nothing."""

    def capture(self, work: Work) -> Captured:
        raise RuntimeError("no graphs here")


class BrokenGraphs(RecordedGraphs):
    """A device whose captures fail at their end, when all of the step has been recorded."""

    def capture(self, work: Work) -> Captured:
        super().capture(work)
        raise RuntimeError("CUDA error: operation failed\nwith more lines")


def _tensors(values: Any) -> Iterator[Tensor]:
    return (each for each in tree_leaves(values) if isinstance(each, Tensor))


def _storage(values: Tensor) -> int:
    return values.untyped_storage().data_ptr()


def _place(value: Any) -> Any:
    """A tensor at its present place: parameters lend theirs to rounded values for a while."""
    return value.detach() if isinstance(value, Tensor) else value
