"""The container of a .dnv file: head, header, directory, chunks and trailer.

In: a header record and chunks to write, or a source of bytes to read. Out: the bytes of a clip, or an opened
clip whose header and directory are checked and whose chunks are read and decoded on demand. ``reader`` and
``writer`` are the entry points; ``chunk_lookup`` selects the chunks that a request needs, also for readers
over HTTP.

Imports: io, sound, tensors.
"""
