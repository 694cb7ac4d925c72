"""Pinhole cameras, rigs and camera paths.

In: poses and intrinsics of OpenCV, COLMAP or nerfstudio, or a header's values. Out: cameras with OpenGL's
axes, the rays through their pixels, properties of a rig (focus point, vertical, viewing volume) and, in
``paths``, the cameras and times of a video.

Imports: kernels.
"""
