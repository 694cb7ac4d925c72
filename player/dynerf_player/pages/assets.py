"""Finds the files of ``web/`` that pages load: looked up by name, never by path."""

from pathlib import Path

WEB = Path(__file__).parents[1] / "web"
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
}


def assets() -> dict[str, Path]:
    """All files that pages may load, by their address below ``web/``; templates are not among them."""
    files = (path for path in WEB.rglob("*") if path.suffix in MEDIA_TYPES and path.is_file())
    return {path.relative_to(WEB).as_posix(): path for path in files}
