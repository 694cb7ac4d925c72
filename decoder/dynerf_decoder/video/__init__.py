"""Video and picture files: colour conversion, H.264 encoding, and writers; videos may have sound.

In: decoded video frames, or rendered RGB pictures (uint8, full range, BT.709). Out: RGB pictures for
training, and complete ``.mp4`` or ``.png`` files. ``colour`` is the only module in which YCbCr and RGB are
converted.

Imports: sound.
"""
