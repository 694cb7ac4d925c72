"""Checks of a capture that need small grey pictures and poses alone: cameras out of step, and all findings.

In: small pictures of consecutive frames, cameras with their poses. Out: findings that name cameras. Needs
numpy only and takes seconds, so ``encode`` runs them as well.
Imports: calibration/pairs, calibration/synchronisation, captures, findings.
"""
