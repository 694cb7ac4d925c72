"""The work folder of a calibration: what ``--resume`` continues from.

``key.json`` records what its files depend on. Each file appears complete or not at all, so a stage that finds
its file need not run again. The folder is removed when the calibration has succeeded. It is locked by the
caller (``dynerf_format.io.folder_lock``), so it is emptied and not replaced.
"""

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from dynerf_format.errors import OutputError, ResumeError, reason
from dynerf_format.io.atomic_write import atomic_path

from .footage import Footage
from .options import CalibrationOptions

_VERSION = 1
_FILE = "key.json"
FOLDERS = ("stills", "features", "matches", "solutions")


def open_work(options: CalibrationOptions, footage: Sequence[Footage], times: Sequence[int]) -> Path:
    """Create the work folder, or continue in it with ``resume``. Raises ResumeError, OutputError."""
    key = _key(options, footage, times)
    path = options.work / _FILE
    if options.resume and path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResumeError(f"{path}: cannot be read ({error}); run without --resume") from error
        differing = [name for name in key if not isinstance(found, dict) or found.get(name) != key[name]]
        if differing:
            raise ResumeError(
                f"{options.work}: belongs to a calibration with other {', '.join(differing)}, expected the "
                "same; run without --resume"
            )
        return options.work
    try:
        for name in FOLDERS:
            shutil.rmtree(options.work / name, ignore_errors=True)
            (options.work / name).mkdir(parents=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(key, indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{options.work}: cannot be written: {reason(error)}") from error
    return options.work


def close_work(work: Path) -> None:
    """Remove what ``open_work`` made, and the folder if nothing else is in it."""
    for name in FOLDERS:
        shutil.rmtree(work / name, ignore_errors=True)
    (work / _FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        work.rmdir()


def _key(options: CalibrationOptions, footage: Sequence[Footage], times: Sequence[int]) -> dict[str, object]:
    return {
        "version": _VERSION,
        "videos": {camera.name: [str(camera.path), camera.source.size()] for camera in footage},
        "frames": list(times),
        "lens": [options.lens, options.focal, options.same_lens],
        "seed": options.seed,
    }
