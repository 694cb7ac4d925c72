"""Checks the address of a clip, and formats it for messages."""

import re
from urllib.parse import quote, urlsplit

from dynerf_format.errors import RemoteError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MAX_LENGTH = 2048


def is_address(text: str) -> bool:
    """True for a text that starts with a scheme, whichever; everything else is a path."""
    return _SCHEME.match(text) is not None


def check_address(text: str) -> str:
    """Return an http or https address without its fragment; RemoteError when it is not valid.

    Names and passwords in addresses are refused: they end up in logs and links.
    """
    shown = ascii(text[:80])
    if len(text) > _MAX_LENGTH:
        raise RemoteError(f"address {shown}...: {len(text)} characters, at most {_MAX_LENGTH} allowed")
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
        raise RemoteError(f"address {shown}: has no host")
    if parts.username is not None or parts.password is not None:
        raise RemoteError(f"{address_name(text)}: a user name or password in an address is not supported")
    return parts._replace(fragment="").geturl()


def address_name(address: str) -> str:
    """The address for messages: without query, which may be secret, and without user name."""
    parts = urlsplit(address)
    location = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return quote(location, safe="/:%[]@!$&'()*+,;=~", errors="replace")
