"""Findings about a capture, each naming its cameras, and those that small grey pictures alone give.

In: small pictures of the same instants by camera. Out: black, frozen and duplicate cameras as ``Finding``s,
the one form that ``check``, ``calibrate`` and ``encode`` report.
Imports: nothing of this package.
"""
