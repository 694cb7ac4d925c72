"""Entropy coding of integer symbols: prediction and context models, frequency tables, and interleaved rANS.

In: the symbols of a tensor, with side information from a coarser layer or the previous segment. Out: a coded
record (model and tables) per tensor and one rANS section per payload; and back. All arithmetic is on integers
below 2^53, so that every decoder obtains the same symbols. ``entropy_coder`` and ``rans_section`` are the
entry points.

Imports: io.
"""
