"""The HTTP application: every address of ``PROTOCOL.md``.

In: a library of clips and the operator's settings. Out: pages, descriptions, posters, byte ranges, movies
and live sessions. ``app`` holds the routes and runs the server. Host, Origin and token are checked before any
handler (``origin_check``, ``access_token``), and every response is sent under a write timeout.

Imports: library, pages, posters, session.
"""
