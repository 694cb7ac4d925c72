"""Implements ``dynerf serve``."""

import argparse
import ipaddress
import secrets
from pathlib import Path

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_device, add_origins
from dynerf.console.device import choose_device
from dynerf.console.progress import say
from dynerf_format.errors import ConfigError


def run(options: argparse.Namespace) -> int:
    """Serve a file or a folder until interrupted."""
    from dynerf_player.library.local import FileLibrary
    from dynerf_player.server.access_token import Access
    from dynerf_player.server.app import Settings, serve

    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key: expected both or neither")
    certificate = (str(options.tls_cert), str(options.tls_key)) if options.tls_cert else None
    access = None if options.token is None else Access(options.token or secrets.token_urlsafe(16))
    library = FileLibrary(options.path, choose_device(options.device))
    settings = Settings(
        host=options.host,
        port=options.port,
        sessions=options.render_sessions,
        origins=tuple(options.allow_origin),
        access=access,
        certificate=certificate,
    )

    def show(address: str) -> None:
        say(f"serving {address}/{'' if access is None else access.query()}")
        if access is None and not _is_this_machine(options.host):
            say("anyone who can reach this port can watch and use this machine to render; see --token")

    serve(library, settings, show)
    return 0


def _is_this_machine(host: str) -> bool:
    """Whether a server that listens on ``host`` accepts connections from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", type=values.local_path, metavar="FILE_OR_FOLDER", help="a .dnv file, or a folder of them"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 accepts other machines (default: 127.0.0.1, this machine only)",
    )  # fmt: skip
    parser.add_argument(
        "--port",
        type=values.port,
        default=8080,
        metavar="N",
        help="port; 0 chooses a free one (default: 8080)",
    )
    add_device(parser)
    parser.add_argument(
        "--render-sessions", type=values.positive, default=4, metavar="N",
        help="how many viewers and downloads of videos are rendered for at once (default: 4)",
    )  # fmt: skip
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain (PEM), for https")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (PEM)")
    add_origins(parser)
    parser.add_argument(
        "--token", nargs="?", const="", metavar="TEXT",
        help="require the printed address, which contains this token (default: a random one; place it after "
        "FILE_OR_FOLDER)",
    )  # fmt: skip


COMMAND = Command(
    name="serve",
    summary="watch clips in a browser",
    description="""\
Serve a clip, or a folder of clips, to browsers: a page that shows it from any
viewpoint at any time, and the file itself by range requests. The browser
renders where the device can, otherwise this machine does. Ctrl-C stops the
server.

Only this machine can connect unless --host is set. With --token only viewers
with the printed address can connect. A reverse proxy may serve the player
below any path. Requests under an unknown name of this machine, or from pages
of another origin, are refused: --allow-origin states the address that
browsers use.
""",
    examples="""\
examples:
  dynerf serve candle.dnv
  dynerf serve clips --port 0 --render-sessions 2
  dynerf serve clips --host 0.0.0.0 --token
  dynerf serve clips --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
  dynerf serve clips --allow-origin https://films.example --token
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_player.library.local", "dynerf_player.server.app"),
)
