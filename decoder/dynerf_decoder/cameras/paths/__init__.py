"""From what the user asks to see to a list of shots: one camera and one content time per output picture.

Three pure steps, each usable alone (only the first reads a file, when the view names one)::

    view   = parse_view("orbit", cameras)                     which way the camera goes
    timing = plan_timing(frames, fps, ..., view=view)         which content each output picture shows
    shots  = plan_shots(view, cameras, timing=timing, size=None)

A ``Trajectory`` is a view with its timing, planned once the rate is known.

Everything the user gives is distrusted, and what cannot be rendered raises ViewError.
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
