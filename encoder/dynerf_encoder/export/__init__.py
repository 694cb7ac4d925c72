"""A trained model as the contents of a ``.dnv`` file.

In: a model, its latents, quantisation steps, cameras and configuration. Out: quantised tensors, latent groups
and the header (``tensors.py``), latents rotated to their principal axes (``latent_pca.py``), and grids of
empty cells (``occupancy_grid.py``). The room ``jobs`` writes the file.
Imports: config, rate.
"""
