"""The ``mlp`` field's networks compiled by ``torch.compile`` on a GPU, if that works.

It fuses what lies between the matrix products of a network: encoding, biases, ReLUs and their gradients, each
of which is a pass over all samples otherwise. It needs Triton and a C compiler, compiles for the shapes of
the first step, which takes a while, and may fail in many ways, also in the backward pass. A step that fails
is therefore repeated without it, as are all that follow. ``planes`` spend their time in look-ups, which it
does not improve.

Compiled networks launch kernels like any others, so a captured step contains them (``cuda_graph.py``): they
are compiled during its warm-up steps. ``torch.compile``'s own use of CUDA graphs stays off.
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

from .cuda_graph import one_line

_LOG = logging.getLogger(__name__)

Fold = Callable[[Tensor], FoldedModel]
Query = Callable[..., Any]


def compiler_for(kind: FieldKind, device: torch.device) -> "Compiler | None":
    """A compiler if it can help: for networks on a GPU, with Triton installed."""
    return Compiler() if kind == "mlp" and device.type == "cuda" and has_triton() else None


class Compiler:
    """Runs steps with compiled networks until one fails. ``backend`` is a backend of ``torch.compile``."""

    def __init__(self, backend: str | Callable[..., Any] = "inductor") -> None:
        self._backend = backend
        self._failed = False
        self._has_succeeded = False

    def attempt(self, fold: Fold, work: Callable[[Fold], Tensor]) -> Tensor:
        """Run ``work`` with a fold whose networks are compiled; if that fails, with the plain ``fold``.

        ``work`` may be called twice and must then start afresh.
        """
        if self._failed:
            return work(fold)
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return work(lambda latents: self._compiled(fold(latents)))  # the capture handles its errors
        try:
            with nullcontext() if self._has_succeeded else _without_warnings():
                result = work(lambda latents: self._compiled(fold(latents)))
        except DynerfError:
            raise
        except Exception as error:
            self._failed = True
            _LOG.warning("networks cannot be compiled and are trained as they are: %s", one_line(error))
            return work(fold)
        self._has_succeeded = True
        return result

    def _compiled(self, folded: FoldedModel) -> FoldedModel:
        if not isinstance(folded, FoldedMlpModel):
            return folded
        query = _compiled_query(self._backend)
        fine = _CompiledNetwork(folded.fine.network, folded.fine.biases, query)
        coarse = _CompiledNetwork(folded.coarse.network, folded.coarse.biases, query)
        return replace(folded, fine=fine, coarse=coarse)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence torch.compile's configuration warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _compiled_query(backend: str | Callable[..., Any]) -> Query:
    """The compiled function, shared by all models of this process: it is compiled once per shape.

    Coarse and fine passes have different shapes, which do not change from step to step.
    """
    query: Query = torch.compile(FoldedNetwork.query, backend=backend, dynamic=False, fullgraph=True)
    return query


@dataclass(frozen=True)
class _CompiledNetwork(FoldedNetwork):
    """A network that is evaluated by compiled code."""

    compiled: Query = field(repr=False)

    def query(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        outputs: tuple[Tensor, Tensor] = self.compiled(
            FoldedNetwork(self.network, self.biases), points, directions
        )
        return outputs
