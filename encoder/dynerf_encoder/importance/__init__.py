"""Importance sampling: per-pixel weights of the training views by ISG and IST (DyNeRF, 3.2).

In: a ``FrameStore``, the training views and the parameters. Out: an ``ImportanceMap``, mapped from a cached
file, which draws pixels by weight; on request contact sheets of the maps as PNG. Held-out views are not read.
Imports: frames, ingest, schedule.
"""
