"""The HTML pages: the player's and the catalogue's, filled from the templates in ``web/``.

In: a clip's name, addresses and description. Out: HTML as text, the same for the server and for a static site
(``templates``), and the scripts, styles and pictures that it needs (``assets``).

Imports: nothing of this package.
"""
