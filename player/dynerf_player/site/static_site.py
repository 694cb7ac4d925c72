"""Writes a static site: the same pages that a server sends, under addresses of files.

index.html                     the only clip's page, or the catalogue
watch/NAME.html                a clip's page, when there are several
clips/NAME.dnv, NAME.jpg       each clip and its poster
clips.json                     the catalogue's records
web/                           scripts and styles
dynerf-site.json               marks the folder as a site
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dynerf_decoder.clip.clip import Clip
from dynerf_format import FileSource, Reader
from dynerf_format.container.header import Header
from dynerf_format.errors import ConfigError
from dynerf_format.version import __version__
from dynerf_player.library.interface import safe_name
from dynerf_player.pages.assets import assets
from dynerf_player.pages.templates import PlayerPage, catalogue_page, player_page
from dynerf_player.posters.poster import FRAME, encode_poster, poster_camera

from .replaced_folder import MARKER, replaced_folder

_BROWSER_FIELDS = ("planes",)  # what the decoder in JavaScript renders


@dataclass(frozen=True)
class SiteOptions:
    """``title`` is by default the clip's name; ``url`` is where the site will be published, or empty."""

    title: str | None = None
    url: str = ""
    poster: Path | None = None  # a JPEG file that replaces the rendered poster, for a single clip


@dataclass(frozen=True)
class _SiteClip:
    path: Path
    name: str  # in addresses
    title: str
    header: Header


def write_site(
    clips: Sequence[Path], folder: Path, options: SiteOptions, on_progress: Callable[[str], None]
) -> list[str]:
    """Write a site with these clips; returns their names in addresses.

    Raises FormatError when a file is not a clip, ConfigError when a browser cannot render it, OutputError
    when the folder cannot be written. ``on_progress`` is called with a line per clip.
    """
    entries = _entries(clips, options)
    with replaced_folder(folder) as site:
        for name in ("clips", "web", *(["watch"] if len(entries) > 1 else [])):
            (site / name).mkdir()
        for address, path in assets().items():
            (site / "web" / address).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, site / "web" / address)
        for entry in entries:
            on_progress(f"{entry.path}: poster")
            (site / "clips" / f"{entry.name}.jpg").write_bytes(_poster(entry, options))
            shutil.copyfile(entry.path, site / "clips" / f"{entry.name}.dnv")
        _write_pages(site, entries, options)
        _write_json(site / MARKER, {"generator": f"dynerf {__version__}"})
    return [entry.name for entry in entries]


def _entries(clips: Sequence[Path], options: SiteOptions) -> list[_SiteClip]:
    entries: list[_SiteClip] = []
    for path in clips:
        with FileSource(path) as source:
            header = Reader(source).header
        if header.field.kind not in _BROWSER_FIELDS:
            raise ConfigError(
                f"{path}: has a field of kind {header.field.kind}, which only a server can render: "
                "expected planes, or use 'dynerf serve'"
            )
        name = _unused(safe_name(path.stem), {entry.name for entry in entries})
        title = options.title if options.title is not None and len(clips) == 1 else path.stem
        entries.append(_SiteClip(path, name, title, header))
    return entries


def _unused(name: str, used: set[str]) -> str:
    """``name``, or with a number when another clip has it, also on file systems that ignore case."""
    taken = {each.casefold() for each in used}
    candidates = [name, *(f"{name}-{number}" for number in range(2, len(used) + 3))]
    return next(candidate for candidate in candidates if candidate.casefold() not in taken)


def _poster(entry: _SiteClip, options: SiteOptions) -> bytes:
    if options.poster is not None:
        return options.poster.read_bytes()
    with FileSource(entry.path) as source, Clip(Reader(source), "cpu", name=str(entry.path)) as clip:
        return encode_poster(clip.render(poster_camera(clip.cameras[0]), frame=FRAME).numpy())


def _write_pages(site: Path, entries: Sequence[_SiteClip], options: SiteOptions) -> None:
    if len(entries) == 1:
        _write(site / "index.html", player_page(_page(entries[0], "", options)))
    else:
        preview = _page(entries[0], "", options).preview
        _write(site / "index.html", catalogue_page(options.title or "Clips", preview))
        for entry in entries:
            _write(site / "watch" / f"{entry.name}.html", player_page(_page(entry, "../", options)))
    _write_json(site / "clips.json", {"clips": [_record(entry) for entry in entries]})


def _page(entry: _SiteClip, root: str, options: SiteOptions) -> PlayerPage:
    return PlayerPage(entry.title, clip_summary(entry.header), root, entry.name, live=False, site=options.url)


def clip_summary(header: Header) -> str:
    """One line about a clip for link previews."""
    seconds = float(header.frames / header.fps)
    return f"Free-viewpoint video, {seconds:.1f} s, {len(header.cameras)} capture cameras"


def _record(entry: _SiteClip) -> dict[str, Any]:
    camera = entry.header.cameras[0]
    return {
        "name": entry.title,
        "page": f"watch/{quote(entry.name, safe='')}.html",
        "poster": f"clips/{quote(entry.name, safe='')}.jpg",
        "seconds": float(entry.header.frames / entry.header.fps),
        "bytes": entry.path.stat().st_size,
        "width": camera.width,
        "height": camera.height,
    }


def _write_json(path: Path, record: object) -> None:
    _write(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
