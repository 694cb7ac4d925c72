"""Kernels that Triton compiles, for a GPU. Nothing here is imported unless Triton is installed."""
