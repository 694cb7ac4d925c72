"""A clip in words for pages: the records of ``/clips.json`` and ``/clips/NAME.json``."""

import math
from typing import Any

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point, up_axis
from dynerf_player.library.interface import ClipVersion


def entry(edition: ClipVersion) -> dict[str, Any]:
    """What the catalogue tells of a clip. Lengths in frames, seconds, bytes and pixels."""
    header = edition.clip.header
    return {
        "name": edition.name,
        "frames": header.frames,
        "fps": float(header.fps),
        "seconds": float(header.frames / header.fps),
        "bytes": edition.size,
        "width": header.cameras[0].width,
        "height": header.cameras[0].height,
    }


def description(edition: ClipVersion) -> dict[str, Any]:
    """All that a player page must know; lengths in world units. Raises ViewError when cameras see nothing."""
    clip = edition.clip
    near, far = clip.depth_range()
    roles = {record.name: record.role for record in clip.header.cameras}
    volume = clip.viewing_volume
    return {
        **entry(edition),
        "etag": edition.etag,
        "layers": clip.most_layers,
        "field": clip.header.field.kind,
        "cameras": [_camera(camera, roles[camera.name]) for camera in clip.cameras],
        "volume": {"points": volume.corners.tolist(), "margin": volume.margin},
        "focus": focus_point(clip.cameras).tolist(),
        "up": up_axis(clip.cameras).tolist(),
        "near": near,
        "far": far,
    }


def _camera(camera: Camera, role: str) -> dict[str, Any]:
    return {
        "name": camera.name,
        "role": role,
        "width": camera.width,
        "height": camera.height,
        "camera_to_world": camera.camera_to_world.reshape(-1).tolist(),
        "fov": math.degrees(2 * math.atan(camera.height / 2 / camera.focal_y)),
    }
