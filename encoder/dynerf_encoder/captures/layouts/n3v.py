"""Reads captures in the Plenoptic Video (N3V) layout: ``camNN.mp4`` per camera and one ``poses_bounds.npy``.

Camera numbers may have gaps (the authors removed bad cameras): row i of the pose file belongs to the i-th
existing video in sorted order. By convention ``cam00`` is the held-out view, but it is not treated specially
here.
"""

from pathlib import Path

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.folder import POSES, find_videos
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.poses import StoredPose, read_poses
from dynerf_encoder.captures.recording import RecordedCamera, Recording, checked_recording
from dynerf_format.frame_range import FrameRange


def n3v_recording(folder: Path) -> Recording:
    """What the folder states. Raises CaptureError."""
    videos = find_videos(folder)
    poses = read_poses(folder / POSES, tuple(video.stem for video in videos))
    cameras = tuple(_camera(video, pose) for video, pose in zip(videos, poses, strict=True))
    return checked_recording(Recording(folder, "n3v", cameras))


def read_n3v(folder: Path, frames: FrameRange | None = None) -> Capture:
    """Read a capture folder and check that videos and poses are consistent; see ``open_capture``."""
    return open_capture(n3v_recording(folder), frames)


def _camera(video: Path, pose: StoredPose) -> RecordedCamera:
    return RecordedCamera(pose.name, video, pose.lens(), pose.camera_to_world, pose.near, pose.far)
