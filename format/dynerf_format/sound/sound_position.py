"""Frames <-> sample positions: sound has 48 kHz, and frame f begins at a whole sample."""

SAMPLE_RATE = 48_000
"""Samples per second and channel of all sound in a file."""


def sound_position(frame: int, fps_numerator: int, fps_denominator: int) -> int:
    """The sample with which a frame begins, counted from frame 0: floor(frame * 48000 / fps), exactly."""
    return frame * SAMPLE_RATE * fps_denominator // fps_numerator
