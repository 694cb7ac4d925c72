"""Evaluates folded ``planes`` fields faster than torch, by kernels: one room per device.

In: a ``FoldedStack``, planes and network weights with the latent folded in, defined here. Out: decoded
samples or whole rays. ``cpu`` lays arrays out for the numba ``kernels``, ``triton`` has its own; torch in
``fields`` and ``render`` is their reference.

Imports: nothing of this package.
"""
