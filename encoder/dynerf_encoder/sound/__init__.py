"""A clip's sound: chosen, read on the clip's time axis, and coded once as one Opus stream.

In: a capture, the frames that are encoded, and which camera or file is chosen. Out: the packets of the whole
clip (``SoundPackets``), whose first sample belongs to frame 0. ``clip_sound.py`` is the entry point; it runs
before the training, so that a track that cannot be used is found then. The room ``export`` divides the
packets into chunks.
Imports: captures.
"""
