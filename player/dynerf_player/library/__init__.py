"""The clips that a server offers, by name, and one clip in memory for all of its viewers.

In: a file or a folder of .dnv files (``local``), or the address of one clip (``remote``).
Out: a ``ClipVersion`` (``interface``): one version of a clip, with its bytes, a clip to render
(``shared_clip``), and what of it has been fetched. It is pinned while in use and closed after its last user
(``open_versions``).

Imports: client.
"""
