"""Checks of a capture without matched points: cameras out of step, and the check that ``encode`` runs.

In: small pictures of consecutive frames, cameras with their poses. Out: findings that name cameras. Needs
numpy only and takes seconds.
Imports: calibration/pairs, calibration/synchronisation, capture_faults, captures.
"""
