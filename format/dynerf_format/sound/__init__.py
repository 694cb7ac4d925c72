"""Sound of a group of frames: Opus packets and the samples of theirs that are played.

In: packets of one Opus stream, with the samples to drop and to keep. Out: the payload of a ``soun`` chunk,
and back; the part of it that belongs to other frames, for cutting and joining. Nothing is decoded here: the
duration of a packet is in its first bytes.

Imports: nothing of this package.
"""
