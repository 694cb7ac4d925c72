"""Radiance fields: models that fold a latent code into a static field.

In: the field record and weights of a file, or settings for training, and latent codes. Out: folded models,
which return density and features at points and shade rays. ``field`` is the interface, ``mlp`` and
``planes`` implement it, ``build`` creates and loads models.

Imports: backends, backends/cpu, backends/triton, kernels, scene.
"""
