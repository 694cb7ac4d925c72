"""Finds the videos or picture folders to calibrate, reads their properties, and refuses what cannot work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dynerf_encoder.captures.layouts.source_files import find_sources, find_sources_in_folders
from dynerf_encoder.captures.pairing import listed
from dynerf_encoder.captures.picture_source import PictureSource, open_source
from dynerf_encoder.captures.video import VideoFacts
from dynerf_format.errors import CaptureError

LEAST_CAMERAS = 3
LEAST_SHARE = 0.6  # of the cameras that must remain


@dataclass(frozen=True, eq=False)
class Footage:
    """One camera's pictures and their properties, before anything is known of its pose."""

    name: str
    path: Path
    source: PictureSource
    facts: VideoFacts

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of upright pictures."""
        return self.facts.width, self.facts.height


@dataclass(frozen=True, eq=False)
class FootageSet:
    """All cameras that can be read, and why others cannot."""

    cameras: tuple[Footage, ...]
    dropped: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names, in order."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def frames(self) -> int:
        """The number of frames that every camera has."""
        return min(camera.facts.frames for camera in self.cameras)

    @property
    def fps(self) -> Fraction:
        """The common frame rate."""
        return self.cameras[0].facts.fps

    def without(self, dropped: dict[str, str], folder: Path) -> "FootageSet":
        """The set without cameras that failed. Raises CaptureError when too few remain."""
        kept = tuple(camera for camera in self.cameras if camera.name not in dropped)
        found = FootageSet(kept, self.dropped | dropped)
        check_enough(folder, found.names, found.dropped)
        return found


def find_footage(
    folder: Path, progress: Callable[[int, int], None], *, by_folder: bool = False
) -> FootageSet:
    """Read the properties of all sources of a folder. Raises CaptureError.

    Where there are none, of the videos in its folders: one in each, or several in each with ``by_folder``.
    """
    check_folder(folder)
    sources = find_sources(folder) or find_sources_in_folders(folder, several=by_folder)
    if not sources and (several := find_sources_in_folders(folder, several=True)):
        raise CaptureError(
            f"{folder}: its folders hold several videos each ({listed(list(several))}), expected one for "
            "each camera; with --same-lens per-folder every video is a camera"
        )
    if len(sources) < LEAST_CAMERAS:
        number = "1 camera" if len(sources) == 1 else f"{len(sources)} cameras"
        found = f"{number} ({listed(list(sources))})" if sources else "no videos"
        raise CaptureError(
            f"{folder}: holds {found}, expected the videos of at least {LEAST_CAMERAS} cameras: two views "
            "alone do not determine a focal length"
        )
    cameras, dropped = [], {}
    for index, (name, path) in enumerate(sources.items()):
        try:
            source = open_source(path)
            cameras.append(Footage(name, path, source, source.probe()))
        except CaptureError as error:
            dropped[name] = str(error)
        progress(index + 1, len(sources))
    check_enough(folder, [camera.name for camera in cameras], dropped)
    _check_rates(folder, cameras)
    return FootageSet(tuple(cameras), dropped)


def check_folder(folder: Path) -> None:
    """CaptureError unless there is such a folder."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise CaptureError(f"{folder}: {what}, expected a folder of videos or of folders of pictures")


def check_enough(folder: Path, kept: Sequence[str], dropped: dict[str, str]) -> None:
    """CaptureError when fewer than three cameras or less than 60 % of them remain."""
    total = len(kept) + len(dropped)
    if len(kept) >= max(LEAST_CAMERAS, LEAST_SHARE * total):
        return
    reasons = "; ".join(list(dropped.values())[:2])
    raise CaptureError(
        f"{folder}: {len(dropped)} of {total} cameras cannot be used ({listed(list(dropped))}), expected at "
        f"least {max(LEAST_CAMERAS, -(-total * 3 // 5))} to remain: {reasons}"
    )


def _check_rates(folder: Path, cameras: Sequence[Footage]) -> None:
    """CaptureError when the cameras' frame rates differ."""
    by_rate: dict[Fraction, list[str]] = {}
    for camera in cameras:
        by_rate.setdefault(camera.facts.fps, []).append(camera.name)
    if len(by_rate) > 1:
        groups = sorted(by_rate.items(), key=lambda item: len(item[1]))
        found = "; ".join(f"{float(rate):.6g} in {listed(names)}" for rate, names in groups)
        raise CaptureError(
            f"{folder}: cameras differ in frame rate: {found}; convert them to one rate: "
            "ffmpeg -i IN -vf fps=RATE OUT"
        )
