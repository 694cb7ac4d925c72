"""The ``mlp`` field's networks compiled for a GPU, as long as that works.

``torch.compile`` fuses what lies between the matrix products of a network: encoding, biases, rectifiers and
their gradients, each of which is a pass over all samples otherwise. It needs Triton and a C compiler; it
compiles at the first step, for the shapes that come, which takes a while, and may fail in many ways, at the
backward pass too. Steps are therefore tried: one that fails is done again without it, and so are all that
follow. ``planes`` spend their time in look-ups, which it would leave as they are.

Compiled networks launch kernels like any others, so a captured step holds them (``graphed_step.py``): the
steps done before a capture are those that compile. Its own use of CUDA graphs stays off.
"""

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from dynerf_decoder.backends.triton.triton_marcher import has_triton
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.fields.mlp import FoldedMlpModel, FoldedNetwork
from dynerf_encoder.config.schema import FieldKind
from dynerf_format.errors import DynerfError

from .cuda_graph import in_one_line

_LOG = logging.getLogger(__name__)

Fold = Callable[[Tensor], FoldedModel]
Query = Callable[..., Any]


def compiler_for(kind: FieldKind, device: torch.device) -> "Compiler | None":
    """A compiler where one is worth trying: for networks on a GPU, with Triton installed."""
    return Compiler() if kind == "mlp" and device.type == "cuda" and has_triton() else None


class Compiler:
    """Steps with compiled networks, until one fails. ``backend`` is one of ``torch.compile``'s."""

    def __init__(self, backend: str | Callable[..., Any] = "inductor") -> None:
        self._backend = backend
        self._failed = False
        self._proven = False

    def attempt(self, fold: Fold, work: Callable[[Fold], Tensor]) -> Tensor:
        """``work`` with a way to fold models whose networks are compiled; without, where that fails.

        ``work`` may be called twice, and must start anew then.
        """
        if self._failed:
            return work(fold)
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return work(lambda latents: self._compiled(fold(latents)))  # a capture's errors are its own
        try:
            with nullcontext() if self._proven else _without_advice():
                result = work(lambda latents: self._compiled(fold(latents)))
        except DynerfError:
            raise
        except Exception as error:
            self._failed = True
            _LOG.warning("networks cannot be compiled and are trained as they are: %s", in_one_line(error))
            return work(fold)
        self._proven = True
        return result

    def _compiled(self, folded: FoldedModel) -> FoldedModel:
        if not isinstance(folded, FoldedMlpModel):
            return folded
        query = _compiled_query(self._backend)
        fine = _CompiledNetwork(folded.fine.network, folded.fine.biases, query)
        coarse = _CompiledNetwork(folded.coarse.network, folded.coarse.biases, query)
        return replace(folded, fine=fine, coarse=coarse)


@contextmanager
def _without_advice() -> Iterator[None]:
    """While open, nobody is told what the compiler would have one know about settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _compiled_query(backend: str | Callable[..., Any]) -> Query:
    """One for all models of this process: it compiles anew for other shapes alone.

    Coarse and fine passes have theirs, and from step to step none changes.
    """
    query: Query = torch.compile(FoldedNetwork.query, backend=backend, dynamic=False, fullgraph=True)
    return query


@dataclass(frozen=True)
class _CompiledNetwork(FoldedNetwork):
    """A network that is asked by compiled code."""

    compiled: Query = field(repr=False)

    def query(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.compiled(
            FoldedNetwork(self.network, self.biases), points, directions
        )
        return found
