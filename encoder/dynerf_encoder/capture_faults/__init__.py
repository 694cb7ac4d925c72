"""Faults of a capture that small grey pictures alone show, and the form in which all faults are reported.

In: small pictures of the same instants by camera. Out: a ``Finding`` for each black, partly black, frozen,
repeating or duplicate camera. Below ``checking`` and ``calibration``, which both use it.
Imports: nothing of this package.
"""
