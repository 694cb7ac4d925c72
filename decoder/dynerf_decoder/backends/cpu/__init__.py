"""CPU backend: lays out folded planes for the numba kernels and distributes the work over threads.

In: folded stacks, points or clipped rays as torch tensors. Out: folded planes, raw network outputs, or
colours and depths of rays. Also ``compile_clock``, which measures how long numba compiles.

Imports: backends, kernels, scene.
"""
