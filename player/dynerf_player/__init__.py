"""Server, live sessions, remote client and web page of the player.

``client/``   a clip at an http or https address, read by range requests
``library/``  the clips that a server offers: files on this machine, or one remote clip
``session/``  one viewer's live session over a WebSocket: messages, rendering, coding
``posters/``  still pictures for catalogues and cards, made once and kept
``pages/``    HTML pages from templates, and the web assets
``site/``     static sites that need no server
``server/``   the HTTP application: every address of ``PROTOCOL.md``
``web/``      the page: HTML, CSS and JavaScript without a build step

Imports: nothing of this package.
"""
