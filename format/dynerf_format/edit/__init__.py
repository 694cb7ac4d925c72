"""Edit clips without decoding pictures: cut, join and repair.

In: one or more clips. Out: a new clip, whose chunks are copied as they are stored wherever their contents do
not change; the inputs are only read. ``splice`` cuts and joins, ``repair`` recovers the intact start of a
damaged file.

Imports: container, sound, tensors.
"""
