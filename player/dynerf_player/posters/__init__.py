"""Still pictures of clips: shown on cards of the catalogue and in a page until its first frame is rendered.

In: a clip. Out: a JPEG file of the first capture camera's view at frame 0 (``poster``), kept in the user's
cache folder, so that it is rendered once (``poster_cache``); ``served_posters`` renders those of a server.

Imports: library, session.
"""
