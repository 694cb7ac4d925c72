"""Makes lenses of whole numbers, and cameras of the rows of pose files, for tests."""

from collections.abc import Sequence

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.captures.pinhole_frames import pinhole_cameras
from dynerf_encoder.captures.poses import StoredPose


def make_lens(
    width: int,
    height: int,
    focal_x: float,
    focal_y: float,
    centre_x: float,
    centre_y: float,
    model: str = "PINHOLE",
    distortion: tuple[float, ...] = (),
) -> Lens:
    """A lens; ``Lens`` itself takes floats only where annotations are checked."""
    focal, centre = (float(focal_x), float(focal_y)), (float(centre_x), float(centre_y))
    return Lens(width, height, *focal, *centre, model, distortion)


def cameras_of(poses: Sequence[StoredPose]) -> tuple[Camera, ...]:
    """The cameras of pictures of the size that the pose file states."""
    lenses, matrices = [pose.lens() for pose in poses], [pose.camera_to_world for pose in poses]
    return pinhole_cameras([pose.name for pose in poses], lenses, matrices)
