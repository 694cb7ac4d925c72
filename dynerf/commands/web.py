"""Implements ``dynerf web``."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.console.progress import say
from dynerf_format.errors import ConfigError


def run(options: argparse.Namespace) -> int:
    """Write a static site."""
    from dynerf_player.site.static_site import SiteOptions, write_site

    if options.poster is not None:
        _check_poster(options.poster, len(options.clips))
    site = SiteOptions(title=options.title, url=options.url or "", poster=options.poster)
    names = write_site(options.clips, options.output, site, say)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    say(f"{options.output}: {len(names)} clip{'s' if len(names) > 1 else ''}, {size / 1e6:.2f} MB")
    say(f"to try it: python3 -m http.server -d {options.output}, then open http://127.0.0.1:8000/")
    return 0


def _check_poster(poster: Path, clips: int) -> None:
    if clips > 1:
        raise ConfigError("--poster: found several clips, expected one")
    try:
        with poster.open("rb") as file:
            start = file.read(3)
    except OSError as error:
        raise ConfigError(f"--poster: {poster}: cannot be read: {error.strerror}") from error
    if start != b"\xff\xd8\xff":
        raise ConfigError(f"--poster: {poster}: is not a JPEG file")


def _published(text: str) -> str:
    """The address of a site, with a slash at the end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}, expected an address such as https://films.example/"
        )
    return text.rstrip("/") + "/"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clips", type=values.local_path, nargs="+", metavar="CLIP.dnv", help="local .dnv files"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write")
    parser.add_argument("--title", metavar="T", help="title of the page (default: the clip's name)")
    parser.add_argument(
        "--poster", type=Path, metavar="FILE.jpg",
        help="the picture that is shown until the clip plays (default: its first frame)",
    )  # fmt: skip
    parser.add_argument(
        "--url", type=_published, metavar="URL",
        help="address at which the folder will be published; link previews of some sites need it",
    )  # fmt: skip


COMMAND = Command(
    name="web",
    summary="write a static site that plays clips in the browser",
    description="""\
Write a folder of static files: pages, scripts, the clips and a poster of each.
The browser decodes and renders the clips itself; any web server, object store
or static host can serve the folder, also below a path. Clips are fetched by
range requests where the host supports them. Pages make no request to other
sites.

DIR is created, or replaced when an earlier 'dynerf web' wrote it.
""",
    examples="""\
examples:
  dynerf web candle.dnv -o site
  dynerf web candle.dnv -o site --title Candle --url https://films.example/
  dynerf web clips/*.dnv -o site
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_decoder.clip.clip", "dynerf_player.site.static_site"),
)
