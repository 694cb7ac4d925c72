"""Encoding jobs: from a capture to a ``.dnv`` file, segment by segment.

In: a ``Job`` (capture, output, configuration, options) and a ``Watcher`` for progress. Out: the file and an
``EncodeResult``; after an interruption the work folder keeps what ``resume`` needs. ``encode.py`` handles a
capture of any length, ``encode_segment.py`` one segment and ``training_run.py`` its training. Segments run in
this process, in a process pool or on a Ray cluster.
Imports: captures, captures/layouts, checking/quick, config, export, frames, importance, ingest, layers, rate,
rays, schedule, sound, step, training.
"""
