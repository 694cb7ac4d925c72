"""Matched points of pairs of cameras: finding them, agreement over several times, epipolar statistics.

In: features (positions and descriptors) of one picture per camera and time. Out: matches, pairs that several
times confirm, and residuals against given poses. Needs numpy only, so that checks run without pycolmap.
Imports: captures.
"""
