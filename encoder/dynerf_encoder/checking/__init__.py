"""Checks of a capture without training: do pictures and poses agree, and if not, what is wrong.

In: a capture of any layout. Out: findings that name cameras, a verdict, tables and a report. One file per
test; those that need matched points use the features and matches of ``calibration``, which need pycolmap.
Those that need no matched points are in ``quick``, and those of pictures alone in ``capture_faults``.
Imports: calibration, calibration/colmap, calibration/pairs, calibration/synchronisation, capture_faults,
captures, captures/layouts, checking/quick.
"""
