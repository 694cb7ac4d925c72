"""An opened .dnv file: loads models, folds moments, renders frames, and saves videos.

In: a reader of the format package. Out: a ``Frame`` of any camera at any time, or a video file. Threads load
the next model (``model_cache``) and fold the next moment (``prefetch``) while a picture is rendered, and
copies from a GPU overlap with rendering (``async_copy``).

Imports: cameras, cameras/paths, fields, render, scene, sound, video.
"""
