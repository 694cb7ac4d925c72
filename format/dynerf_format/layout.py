"""The fixed-width records of a .dnv file, defined once for reading and writing.

::

    head       40 bytes   magic, version, lengths and checksums of what follows
    header     msgpack    (in a Zstandard frame, if long) cameras, space, field, frames, segments, colour
    directory  40 bytes per chunk
    chunks     each a 32-byte chunk head and its stored bytes, back to back, no padding
    trailer    36 bytes   SHA-256 of all bytes before the digest

All integers are little-endian and unsigned. ``format/SPEC.md`` defines each field.
"""

import struct

MAGIC = b"\x89DNV\r\n\x1a\n"  # high bit, name, CR LF, end-of-file mark, LF: catches text-mode damage
MAJOR = 1
MINOR = 0

FIRST_READ = 16 * 1024
"""Bytes fetched to open a file; head, header and directory normally fit."""

FLAG_ZSTD_HEADER = 1
FLAGS_KNOWN = FLAG_ZSTD_HEADER

HEAD = struct.Struct("<8sBBHIIIIQI")
"""magic, major, minor, flags, header length, header CRC-32, directory length, directory CRC-32,
file length, CRC-32 of the 36 bytes before it."""

ENTRY = struct.Struct("<4sIHHIIQIII")
"""kind, segment, layer, codec, first, count, offset of the chunk head, stored length, decoded length,
CRC-32."""

CHUNK_HEAD = struct.Struct("<4sIHHIIIII")
"""The fields of ``ENTRY`` without the offset; the CRC-32 covers the 28 bytes before it and the stored
bytes."""

TRAILER = struct.Struct("<4s32s")
"""tag, SHA-256 of all bytes of the file before the digest (the tag included)."""

TRAILER_TAG = b"\x00END"  # not four letters, so it cannot be a chunk kind

CRC32 = struct.Struct("<I")
TENSOR_NAME = struct.Struct("<BB")
"""number of leading characters shared with the previous name, number of others; layer 0 and latents only."""
RANK = struct.Struct("<B")
"""followed by the extents, varints of 1 to 5 bytes."""
CODING = struct.Struct("<B")
FACTOR = struct.Struct("<B")
CODED = struct.Struct("<BB")
"""model, number of tables of an entropy-coded tensor."""
MODEL = struct.Struct("<B")
TABLES = struct.Struct("<B")
TABLE_TOKENS = struct.Struct("<B")
SMOOTH = struct.Struct("<BBB")
"""192 + shape, scale, tokens."""

U16_MAX = 2**16 - 1
U32_MAX = 2**32 - 1

SYMBOL_MAX = 2**23
"""Largest magnitude of a quantised tensor's symbol."""
