"""Decoder: renders any view of a .dnv clip at any time.

Rooms, in the order of the data path: ``cameras`` (poses and camera paths), ``scene`` (the contraction of
space and ray sampling), ``fields`` (models that are folded per frame), ``backends`` (fields on CPUs and by
Triton), ``kernels`` (numba, for CPUs), ``render`` (rays to frames), ``sound`` (decoded and coded anew),
``video`` (colour conversion and files), ``clip`` (an opened file: models, playback, saving). ``progress``,
``setting`` and ``threads``, the pool for all parallel work, serve all packages above the format.
"""
