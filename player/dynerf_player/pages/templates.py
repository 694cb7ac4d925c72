"""Fills the pages' templates. Every value is escaped for HTML."""

from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

import jinja2

from .assets import WEB


@dataclass(frozen=True)
class PlayerPage:
    """What the player's page needs; addresses are relative to the page or absolute."""

    title: str
    description: str  # for link previews
    root: str  # of the site: "" or "../", or its published address for link previews
    name: str  # of the clip, in addresses
    live: bool  # whether a server can render; otherwise the browser does
    render_mode: str = "auto"  # "auto", "browser" or "server"; a page of "server" has no poster
    site: str = ""  # published address of the site, with a slash at the end, or empty when it is not known

    @property
    def catalogue(self) -> str:
        """Address of the catalogue; object stores have no page for the address of a folder."""
        return self.root if self.live else f"{self.root}index.html"

    @property
    def clip(self) -> str:
        """Address of the clip's file."""
        return f"{self.root}clips/{quote(self.name, safe='')}.dnv"

    @property
    def poster(self) -> str:
        """Address of the poster."""
        return f"{self.root}clips/{quote(self.name, safe='')}.jpg"

    @property
    def preview(self) -> str:
        """Address of the poster for link previews, absolute where the site's address is known."""
        return f"{self.site or self.root}clips/{quote(self.name, safe='')}.jpg"


def player_page(page: PlayerPage) -> str:
    """The page of one clip."""
    return _environment().get_template("watch.html").render(page=page)


def catalogue_page(title: str, preview: str = "") -> str:
    """The page that lists the clips of ``clips.json``; ``preview``: the picture of link previews."""
    return _environment().get_template("catalogue.html").render(title=title, preview=preview)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(WEB)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
