"""Encoder: from a capture (videos and poses) to a ``.dnv`` file.

Rooms in the order of the data path:

- ``jobs``: runs an encode, in one process, several processes or on a cluster
- ``config``: settings, presets and overrides
- ``captures``: reads a capture folder
- ``frames``: decoded pictures, memory-mapped
- ``schedule``: stages, keyframes, learning rate, initial latents
- ``importance``: importance maps (ISG, IST)
- ``rays``: draws training rays
- ``training``: the training loop with checkpoints, validation and distribution
- ``step``: one optimiser update, by CPU kernels (``step/kernels``), torch or CUDA graphs
- ``rate``: rate loss, rate control and quantisation steps
- ``export``: quantised tensors, latents and occupancy grids, and the file
- ``evaluation``: quality metrics of a clip
"""
