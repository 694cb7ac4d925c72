"""The frame store: pictures decoded once to raw files and memory-mapped.

In: a ``Capture``, a frame range and a downscale factor. Out: a ``FrameStore`` with uint8 RGB pictures of all
views and the cameras that fit them. The folder is a cache: views that have not changed are reused.
Imports: captures, ingest.
"""
