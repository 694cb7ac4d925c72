"""GPU backend: marches rays through a folded ``planes`` model with a Triton kernel.

In: two folded stacks and clipped rays on a CUDA device. Out: features accumulated along the rays and depths;
None when the kernel cannot run, and torch renders instead. Only ``triton_marcher`` may be imported without
Triton.

Imports: backends, kernels, scene.
"""
