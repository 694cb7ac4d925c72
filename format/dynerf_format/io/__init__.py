"""File-system helpers that all packages share.

In: paths. Out: files that appear under their final name complete or not at all, temporary folders and
preallocated files, folders locked for one job, the user's cache folder, and functions compiled by numba whose
machine code is cached there. Failures that the user can act on are OutputErrors that name the path.

Imports: nothing of this package.
"""
