"""Camera paths: from the requested view to a list of shots, a camera and a content time per output picture.

In: a view (``parse_view``), and the part of the clip, its speed and the output rate (``plan_timing``). Out:
shots (``plan_shots``); a ``Trajectory`` is a view with its timing. Only ``parse_view`` reads a file, when
the view names one. Input is not trusted: what cannot be rendered raises ViewError.

Imports: cameras.
"""

from .nerfstudio import CameraPath, parse_camera_path, read_camera_path
from .render_plan import Shot, plan_shots
from .timing import Timing, plan_timing
from .trajectory import Trajectory
from .view import RigPath, Still, View, default_size, parse_size, parse_view

__all__ = [
    "CameraPath",
    "RigPath",
    "Shot",
    "Still",
    "Timing",
    "Trajectory",
    "View",
    "default_size",
    "parse_camera_path",
    "parse_size",
    "parse_view",
    "plan_shots",
    "plan_timing",
    "read_camera_path",
]
