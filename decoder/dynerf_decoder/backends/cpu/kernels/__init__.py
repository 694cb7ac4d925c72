"""What a CPU does per sample, compiled by numba: the ``planes`` field's look-ups and whole rays.

torch's operations each pass over all samples of a tile; here a sample stays in registers from look-up to
density. The plain torch path computes the same and is the reference in the tests; it serves CUDA, float64 and
fields without kernels. Compiled code is cached on disk, so only the first use ever waits for the compiler.
"""
