"""The numba kernels of the CPU training step: work per ray, per sample and per texel.

In: the arrays of ``records.py``, which are rays, jitter, folded planes and network weights. Out: gradients,
updated planes and the sums of the errors. ``ray_pass.py`` runs rays forward and backward, ``scatter.py`` adds
the samples' gradients to the planes, ``planes.py`` folds the planes before and applies Adam afterwards.
torch's autograd over ``dynerf_decoder`` is the reference in the tests.
Imports: nothing of this package.
"""
