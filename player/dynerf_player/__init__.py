"""Server, live sessions, remote client and web page of the player.

``client/``   a clip at an http or https address, read by range requests
``library/``  the clips that a server offers: files on this machine, or one remote clip
``session/``  one viewer's live session over a WebSocket: messages, rendering, coding
``server/``   the HTTP application: every address of ``PROTOCOL.md``
``web/``      the page: HTML, CSS and JavaScript without a build step

Imports: nothing of this package.
"""
