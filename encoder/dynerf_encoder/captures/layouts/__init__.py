"""Readers and writers of the layouts in which captures are stored, one file each.

In: a folder, or the file that describes it. Out: a ``Recording``. ``detect.py`` finds the layout of a folder
by its files.
Imports: captures.
"""
