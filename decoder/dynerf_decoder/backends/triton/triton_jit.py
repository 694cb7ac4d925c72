"""Turns functions into Triton kernels."""

import inspect
from collections.abc import Callable
from typing import Any

import triton


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first launch, for the tensors' types and the sizes given then."""
    return triton.jit(inspect.unwrap(function))  # without the annotation checks of the tests
