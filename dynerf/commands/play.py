"""Implements ``dynerf play``."""

import argparse
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.api.opening import is_remote, parse_location
from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_device, add_origins
from dynerf.console.device import choose_device
from dynerf.console.progress import say
from dynerf_player.client.address import address_name, check_address

if TYPE_CHECKING:
    from dynerf_player.library.interface import Library


def run(options: argparse.Namespace) -> int:
    """Serve one clip to a browser on this machine until interrupted."""
    from dynerf_player.server.app import Settings, serve

    clip = options.clip
    if is_remote(clip):
        clip = address_name(check_address(clip))  # without the query, which may hold a token
    settings = Settings(port=options.port, origins=tuple(options.allow_origin))

    def show(address: str) -> None:
        say(f"playing {clip} at {address}/")
        # There may be no browser, or only one in the terminal: the address is printed in any case.
        if not options.no_browser and not webbrowser.open(f"{address}/"):
            say("no browser was found: open the address in one")

    serve(_library(options.clip, choose_device(options.device)), settings, show)
    return 0


def _library(location: str | Path, device: str) -> "Library":
    if is_remote(location):
        from dynerf_player.library.remote import RemoteLibrary

        return RemoteLibrary(str(location), device)
    from dynerf_player.library.local import FileLibrary

    return FileLibrary(Path(location), device)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clip", type=parse_location, metavar="FILE_OR_URL", help="a .dnv file, or its address"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    parser.add_argument(
        "--port", type=values.port, default=0, metavar="N", help="port of the page (default: 0, a free one)"
    )
    add_device(parser)
    add_origins(parser)


COMMAND = Command(
    name="play",
    summary="watch one clip, local or remote",
    description="""\
Watch a clip in the browser: a page on this machine shows it from any viewpoint
at any time. Ctrl-C stops it.

A clip at an http or https address is fetched by range requests while it plays:
first what the first frame needs, then what follows. Any web server that serves
files will do. When the remote file is replaced, the page reloads it.
""",
    examples="""\
examples:
  dynerf play candle.dnv
  dynerf play https://example.org/candle.dnv
  dynerf play candle.dnv --no-browser --port 9000
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_player.library.local", "dynerf_player.server.app"),
)
