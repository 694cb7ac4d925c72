"""Edits metadata of MP4 files: the display matrix, the edit list, boxes of a video's sample description."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

_SAMPLE_ENTRY = "moov/trak/mdia/minf/stbl/stsd"


def set_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Set the first track's display matrix, without its translation."""
    data = bytearray(path.read_bytes())
    offset = _find(data, "moov/trak/tkhd")[0] + 8 + 40  # version 0
    for index, value in ((0, a), (1, b), (3, c), (4, d)):
        struct.pack_into(">i", data, offset + 4 * index, round(value * 65536))
    path.write_bytes(data)
    return path


def add_to_sample_entry(path: Path, boxes: bytes) -> Path:
    """Append boxes to the first track's only sample entry; the file's index must be at its end."""
    data = bytearray(path.read_bytes())
    entry = _find(data, _SAMPLE_ENTRY)[0] + 16
    size = struct.unpack_from(">I", data, entry)[0]
    parts = _SAMPLE_ENTRY.split("/")
    enclosing = [_find(data, "/".join(parts[: count + 1]))[0] for count in range(len(parts))]
    for offset in (*enclosing, entry):
        struct.pack_into(">I", data, offset, struct.unpack_from(">I", data, offset)[0] + len(boxes))
    data[entry + size : entry + size] = boxes
    path.write_bytes(data)
    return path


def set_edits(path: Path, edits: Sequence[tuple[int, int, float]], *, wide: bool = False) -> Path:
    """Set the first track's edit list: (duration in movie units, start in track units or -1, rate) each.

    The file's index must be at its end, unless its frames are in fragments. ``wide`` writes 64-bit times.
    """
    entry = ">Qqi" if wide else ">Iii"
    entries = b"".join(
        struct.pack(entry, length, start, round(rate * 65536)) for length, start, rate in edits
    )
    return set_edit_list(path, box("elst", struct.pack(">II", wide << 24, len(edits)) + entries))


def set_edit_list(path: Path, boxes: bytes) -> Path:
    """Set the content of the first track's box ``edts``, as in ``set_edits``."""
    data = bytearray(path.read_bytes())
    track, size = _find(data, "moov/trak")
    for kind, offset, _ in list(_boxes(data, track + 8, track + size)):
        if kind == "edts":
            data[offset + 4 : offset + 8] = b"free"
    added = box("edts", boxes)
    for offset in (_find(data, "moov")[0], track):
        struct.pack_into(">I", data, offset, struct.unpack_from(">I", data, offset)[0] + len(added))
    data[track + size : track + size] = added
    path.write_bytes(data)
    return path


def box(kind: str, payload: bytes) -> bytes:
    """An MP4 box."""
    return struct.pack(">I4s", 8 + len(payload), kind.encode()) + payload


def _find(data: bytes | bytearray, path: str, start: int = 0, stop: int | None = None) -> tuple[int, int]:
    """Offset and size of the first box at a path."""
    head, _, rest = path.partition("/")
    for kind, offset, size in _boxes(data, start, len(data) if stop is None else stop):
        if kind == head:
            return _find(data, rest, offset + 8, offset + size) if rest else (offset, size)
    raise KeyError(path)


def _boxes(data: bytes | bytearray, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind.decode("latin1"), start, size or stop - start
        start += size or stop - start
