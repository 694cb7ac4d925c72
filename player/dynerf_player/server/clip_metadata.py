"""Describes clips for pages: the records of ``/clips.json`` and ``/clips/NAME.json``."""

import math
from typing import Any
from urllib.parse import quote

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.cameras.rig import focus_point, up_axis
from dynerf_format.container.chunk_lookup import is_sound
from dynerf_player.library.interface import ClipVersion


def summary(version: ClipVersion) -> dict[str, Any]:
    """A clip's record in the catalogue. Lengths in frames, seconds, bytes and pixels."""
    header = version.clip.header
    return {
        "name": version.name,
        "page": f"watch/{quote(version.name, safe='')}",
        "poster": f"clips/{quote(version.name, safe='')}.jpg",
        "frames": header.frames,
        "fps": float(header.fps),
        "seconds": float(header.frames / header.fps),
        "bytes": version.size,
        "width": header.cameras[0].width,
        "height": header.cameras[0].height,
    }


def description(version: ClipVersion) -> dict[str, Any]:
    """A clip's record for the player page; lengths in world units. ViewError when cameras see nothing."""
    clip = version.clip
    near, far = clip.depth_range()
    roles = {record.name: record.role for record in clip.header.cameras}
    volume = clip.viewing_volume
    return {
        **summary(version),
        "etag": version.etag,
        "layers": clip.layer_count,
        "field": clip.header.field.kind,
        "sound": any(is_sound(entry) for entry in clip.reader.directory),
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
