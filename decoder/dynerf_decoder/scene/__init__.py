"""The scene's space: contraction to the cube [-1, 1]^3, empty cells, and samples along rays.

In: rays in world units and a header's values, which are checked. Out: ray intervals in the cube, sample
positions along them, and cameras, space, sampling and viewing volume for rendering.

Imports: cameras, kernels.
"""
