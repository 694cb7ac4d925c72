"""How functions become Triton kernels."""

import inspect
from collections.abc import Callable
from typing import Any

import triton


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first launch, for the tensors' types and the sizes given then."""
    return triton.jit(inspect.unwrap(function))  # bare of what checks annotations in the tests
