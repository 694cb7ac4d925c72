"""One viewer's live session: the messages of ``PROTOCOL.md`` over a WebSocket, rendering and coding.

In: a WebSocket request and a library of clips. Out: text messages and coded pictures, JPEG or H.264.
``websocket`` holds the connection, ``protocol`` checks messages, ``session`` decides what to render next,
``adaptive_resolution`` in how many pixels, ``render_pool`` renders, and ``stream_encoder`` codes.

Imports: library.
"""
