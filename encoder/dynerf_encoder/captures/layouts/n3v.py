"""Reads captures in the Plenoptic Video (N3V) layout: ``camNN.mp4`` per camera and one ``poses_bounds.npy``.

Folders ``camNN`` of pictures, which many programs make of the videos, serve where there are no videos.

Camera numbers may have gaps (the authors removed bad cameras): row i of the pose file belongs to the i-th
existing camera in sorted order. By convention ``cam00`` is the held-out view, but it is not treated specially
here.
"""

from pathlib import Path

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.folder import POSES, find_cameras
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.poses import StoredPose, read_poses
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_format.frame_range import FrameRange


def n3v_recording(folder: Path) -> Recording:
    """What the folder states. Raises CaptureError."""
    sources = find_cameras(folder)
    poses = read_poses(folder / POSES, tuple(sources))
    cameras = tuple(_camera(sources[pose.name], pose) for pose in poses)
    pictures = any(source.is_dir() for source in sources.values())
    notes = (f"read as n3v ({POSES} and folders of pictures)",) if pictures else ()
    return checked_recording(Recording(folder, "n3v", cameras, notes=notes))


def read_n3v(folder: Path, frames: FrameRange | None = None) -> Capture:
    """Read a capture folder and check that videos and poses are consistent; see ``open_capture``."""
    return open_capture(n3v_recording(folder), frames)


def _camera(source: Path, pose: StoredPose) -> RecordedCamera:
    return RecordedCamera(pose.name, source, pose.lens(), pose.camera_to_world, pose.near, pose.far)
