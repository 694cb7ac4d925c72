"""Kernels that evaluate folded ``planes`` fields faster than torch: one room per device.

In: a ``FoldedStack``, planes and network weights with the latent folded in, defined here. Out: decoded
samples or whole rays. ``cpu`` uses numba, ``triton`` a GPU; torch in ``fields`` and ``render`` is their
reference.

Imports: nothing of this package.
"""
