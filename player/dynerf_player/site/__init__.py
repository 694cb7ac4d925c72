"""A folder of static files in which clips play without a server that renders.

In: clips. Out: a folder with pages, scripts, clips and posters that any web server or object store can serve,
also below a path (``static_site``); a folder appears complete or not at all (``replaced_folder``).

Imports: library, pages, posters.
"""
