"""Calibration: poses, lenses and offsets in time of a folder of videos, from the videos alone.

In: videos or folders of pictures of one scene by cameras that stand still. Out: ``capture.json`` with its
points, a report, and an ``Outcome``. ``calibrate.py`` runs the stages; ``rig.py`` and ``agreement.py`` decide
which of several solutions is right; pycolmap runs in child processes (``colmap``).
Imports: calibration/colmap, calibration/pairs, calibration/synchronisation, capture_faults, captures,
captures/layouts.
"""
