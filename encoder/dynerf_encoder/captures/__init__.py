"""Captures on disk: reads what a layout states and its pictures, and checks that these are consistent.

In: a ``Recording`` (cameras with lens, pose and the place of their videos or pictures), which a reader in
``layouts`` makes of a folder. Out: a ``Capture`` (views with their cameras, frame rate, frame count), decoded
upright pictures as uint8 RGB, and the space of the scene. Videos are paired by presentation time or by stated
offsets; what cannot be used is refused with the remedy. A new layout on disk is a new reader in ``layouts``.
Imports: nothing of this package.
"""
