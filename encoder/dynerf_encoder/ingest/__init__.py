"""Converts decoded pictures to those of the capture's pinhole cameras, once, as they enter the frame store.

In: upright pictures with a lens's distortion, of any size. Out: pictures of one size without distortion,
averaged by the downscale factor, and which of their pixels have a source. Behind this room there are only
pinhole cameras of one size.
Imports: captures.
"""
