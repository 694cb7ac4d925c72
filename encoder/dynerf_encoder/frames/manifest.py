"""Reads and writes a frame store's manifest, which records what the stored pictures depend on.

``store.json`` has an entry per view. A view is reused only when its entry equals the one that would be
written now and the raw file has exactly the size that follows from it. The file is not trusted: a malformed
one counts as "nothing stored", and no path is read from it.
"""

import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dynerf_decoder.video.colour import CONVERSION_VERSION
from dynerf_encoder.captures.capture import CaptureView
from dynerf_encoder.captures.picture_source import SourceDigest
from dynerf_encoder.ingest.conversion import Conversion
from dynerf_format.errors import CaptureError, OutputError
from dynerf_format.io.atomic_write import atomic_path, remove_leftovers

_NAME = "store.json"
_MAX_BYTES = 2**22


@dataclass(frozen=True)
class StoredView:
    """The entry of one view: what its stored pictures depend on; sizes in pixels after averaging.

    ``first`` is the video's own frame number, not the capture's.
    """

    video_sha256: str
    video_bytes: int
    first: int
    frames: int
    downscale: int
    height: int
    width: int
    conversion: int = CONVERSION_VERSION
    lens: str = ""  # the key of the conversion to a pinhole camera

    @property
    def nbytes(self) -> int:
        """Size of the raw file."""
        return self.frames * self.height * self.width * 3


def describe(
    view: CaptureView, frames: range, downscale: int, digests: Mapping[str, SourceDigest] | None = None
) -> StoredView:
    """The entry of a view for some frames of the capture, by its present video. Raises CaptureError.

    Reads the whole video file, unless its digest is among ``digests``: then only its length is compared.
    """
    camera = view.camera.downscaled(downscale)
    digest = (digests or {}).get(view.name)
    if digest is None:
        digest = view.source.digest()
    else:
        _check_length(view, digest.bytes)
    return StoredView(
        digest.sha256,
        digest.bytes,
        view.in_video(frames).start,
        len(frames),
        downscale,
        camera.height,
        camera.width,
        lens=Conversion(view.lens, view.camera, downscale).key,
    )


def _check_length(view: CaptureView, expected: int) -> None:
    found = view.source.size()
    if found != expected:
        raise CaptureError(
            f"{view.video}: has {found} bytes, expected {expected}, as in the capture that is being encoded"
        )


def raw_path(folder: Path, name: str) -> Path:
    """The file of a view's pictures: uint8, (frames, height, width, 3), nothing else in the file."""
    return folder / f"{name}.rgb"


def stored_views(folder: Path, required: dict[str, StoredView]) -> dict[str, StoredView]:
    """Those of the required views that the folder already holds with an equal entry."""
    entries = _read_entries(folder / _NAME)
    return {
        name: view
        for name, view in required.items()
        if entries.get(name) == asdict(view) and _is_regular_file(raw_path(folder, name), view.nbytes)
    }


def write_manifest(folder: Path, views: dict[str, StoredView]) -> None:
    """Replace the manifest. Raises OutputError."""
    text = json.dumps({"views": {name: asdict(view) for name, view in views.items()}}, indent=1)
    path = folder / _NAME
    try:
        if path.is_symlink():
            path.unlink()  # else the file that it points to would be replaced
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def remove_view(folder: Path, name: str) -> None:
    """Remove a view's raw file and the temporaries of builds that were killed."""
    raw = raw_path(folder, name)
    raw.unlink(missing_ok=True)
    remove_leftovers(raw)


def _read_entries(path: Path) -> dict[str, object]:
    try:
        if not _is_regular_file(path) or path.stat().st_size > _MAX_BYTES:
            return {}
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    entries = manifest.get("views") if isinstance(manifest, dict) else None
    return entries if isinstance(entries, dict) else {}


def _is_regular_file(path: Path, size: int | None = None) -> bool:
    """Whether a path is a regular file, not a link, of a size (None: any)."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and size in (None, status.st_size)
