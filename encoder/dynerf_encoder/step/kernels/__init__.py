"""What a training step on a CPU does per ray, per sample and per texel, compiled by numba.

``step.py`` follows whole rays forward and back, ``scatter.py`` adds what they ask of the planes,
``planes.py`` folds the planes before and lets Adam change them afterwards. torch's autograd over
``dynerf_decoder`` computes the same and is the reference in the tests; it serves CUDA, several processes,
the ``mlp`` field and planes of other sizes or precisions.
"""
