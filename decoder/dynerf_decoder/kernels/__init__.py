"""Numba kernels for CPUs: rays of pixels, their intervals, and the ``planes`` field from look-up to colour.

Each torch operation passes over all samples of a tile; here a sample stays in registers from look-up to
density. In and out: flat numpy arrays, grouped in the named tuples of ``records``. Torch computes the same
and is the reference in the tests; it serves CUDA, float64 and fields without kernels. Compiled code is
cached on disk.

Imports: nothing of this package.
"""
