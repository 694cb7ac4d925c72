"""Synchronisation: by how many frames each camera started before the others.

In: timecodes, sound tracks, or small grey pictures of all frames with the cameras' poses. Out: per camera an
offset in frames with its confidence; unknown where nothing decides, never 0 by default. Offsets are those of
``captures.recording``: frame n of a camera shows the instant n - offset.
Imports: calibration/pairs, captures.
"""
