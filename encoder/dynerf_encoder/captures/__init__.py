"""Captures on disk: reads a capture folder and checks that its parts are consistent.

In: a folder of videos, one per camera, and the cameras' poses. Out: a ``Capture`` (views with their cameras,
frame rate, frame count), decoded pictures as uint8 RGB, and the space of the scene. Videos are paired by
presentation time; what cannot be used is refused with the remedy. A new layout on disk is a new reader next
to ``n3v.py``.
Imports: nothing of this package.
"""
