"""Implements ``dynerf play``."""

import argparse
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.api.opening import is_remote
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
