"""Guess from its first bytes what a file that is not a .dnv file is, for the error message."""

from dynerf_format.layout import MAGIC

_KNOWN = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"PK\x03\x04", "a ZIP archive (PyTorch checkpoints are of this kind)"),
    (b"\x1f\x8b", "a gzip file (was it stored with Content-Encoding: gzip?)"),
    (b"\x28\xb5\x2f\xfd", "a bare zstd frame"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"%PDF", "a PDF document"),
    (b"ply", "a PLY point cloud"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not fetched (git lfs pull)"),
)


def describe_content(start: bytes) -> str:
    """Describe the kind of file that begins with ``start`` (a few hundred bytes), as "an MP4 video"."""
    if not start:
        return "an empty file"
    if start[4:8] == b"ftyp":
        return "an MP4 or QuickTime video"
    for prefix, name in _KNOWN:
        if start.startswith(prefix):
            return name
    if start[1:4] == MAGIC[1:4]:
        return "a .dnv file damaged by a transfer in text mode"
    if not any(start):
        return "a file of zeros (an unfinished download?)"
    return _kind_of_text(start) or "an unknown kind of file"


def _kind_of_text(start: bytes) -> str | None:
    broken = "\ufffd"
    text = start.decode("utf-8", errors="replace").rstrip(broken)  # the last character may be cut
    if not text or broken in text or not all(c.isprintable() or c.isspace() for c in text):
        return None
    stripped = text.lstrip().lower()
    if stripped.startswith(("<!doctype html", "<html")):
        return "a web page (an error page saved instead of the file?)"
    return "a JSON file" if stripped.startswith(("{", "[")) else "a text file"
