"""The clip that is measured when none is given: the bundled sample, encoded once and kept."""

import subprocess
import sys
import tempfile
from pathlib import Path

from dynerf_format.errors import ConfigError, OutputError
from dynerf_format.user_cache import user_cache
from dynerf_format.version import __version__

from ..display import say

CAPTURE = Path(__file__).parents[2] / "samples" / "candle"  # of a source checkout
_SHORT = ("--set", "schedule.scale=0.1")


def sample_clip(device: str, *, quick: bool) -> Path:
    """The sample, encoded now or an earlier time: preset ``preview``, when ``quick`` a tenth of its steps.

    Raises ConfigError without the sample, OutputError when the cache cannot be written.
    """
    path = _cache() / f"bench-{__version__}-{'quick' if quick else 'preview'}.dnv"
    if path.is_file():
        return path
    if not CAPTURE.is_dir():
        raise ConfigError(
            f"{CAPTURE}: no sample here, it comes with a source checkout; give a clip: dynerf bench CLIP.dnv"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="bench-") as folder:
            made = Path(folder) / "sample.dnv"
            _encode(made, device, _SHORT if quick else ())
            made.replace(path)
        say(f"{path}: the sample, kept for the next run")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _cache() -> Path:
    folder = user_cache()
    if folder is None:
        raise OutputError(
            "this user has no home directory to keep the sample in; give a clip: dynerf bench CLIP.dnv"
        )
    return folder


def _encode(output: Path, device: str, more: tuple[str, ...]) -> None:
    """In a process of its own, whose memory does not count as the benchmark's."""
    command = [sys.executable, "-m", "dynerf", "encode", str(CAPTURE), "-o", str(output)]
    options = ["--preset", "preview", "--device", device, *more]
    status = subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        raise ConfigError(f"{CAPTURE}: the sample could not be encoded, the reason is above")
