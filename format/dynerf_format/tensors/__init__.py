"""Quantised tensors and occupancy grids, and the payloads of the chunks that hold them.

In: float arrays and quantisation steps, or occupied cells. Out: integer symbols with their steps, and the
bytes of ``WGHT``, ``LATN`` and ``occu`` payloads; and back. Declared sizes are compared with limits before
anything is allocated. ``tensor_payload`` is the entry point.

Imports: coding.
"""
