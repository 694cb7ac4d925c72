"""A clip's sound: decoded at any sample, chosen for a sequence of shots, and coded anew for files.

In: a reader of the format package. Out: float32 arrays (sample, channel) at 48 kHz, and audio streams of
MP4, WAV and Ogg files. Chunks of sound are decoded one by one, each from its own packets.

Imports: nothing of this package.
"""
