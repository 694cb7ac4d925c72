"""Tests of a capture that need small grey pictures alone: black, frozen, equal, blurred, out of step.

In: small pictures of consecutive frames, cameras with their poses. Out: findings that name cameras. Needs
numpy only and takes seconds, so ``encode`` and ``calibrate`` run them as well.
Imports: calibration/pairs, calibration/synchronisation, captures.
"""
