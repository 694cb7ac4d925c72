"""What an address of a clip may look like, and what messages call it."""

import re
from urllib.parse import quote, urlsplit

from dynerf_format.errors import RemoteError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LONGEST = 2048


def is_address(text: str) -> bool:
    """True for what is meant as an address, of whatever scheme; everything else is a path."""
    return _SCHEME.match(text) is not None


def check_address(text: str) -> str:
    """Return an http or https address without its fragment; RemoteError when it cannot be one.

    Names and passwords in addresses are refused: they end up in logs and links.
    """
    shown = ascii(text[:80])
    if len(text) > _LONGEST:
        raise RemoteError(f"address {shown}...: {len(text)} characters, at most {_LONGEST} allowed")
    if not text.isprintable() or " " in text:
        raise RemoteError(f"address {shown}: spaces and control characters must be written as %20 and so on")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RemoteError(f"address {shown}: is not valid: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise RemoteError(f"address {shown}: only http and https addresses can be read")
    if not host or port == 0:
        raise RemoteError(f"address {shown}: names no server")
    if parts.username is not None or parts.password is not None:
        raise RemoteError(f"{address_name(text)}: a user name or password in an address is not supported")
    return parts._replace(fragment="").geturl()


def address_name(address: str) -> str:
    """The address as messages may show it: without query, which often is a secret, and without a user."""
    parts = urlsplit(address)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return quote(place, safe="/:%[]@!$&'()*+,;=~", errors="replace")
