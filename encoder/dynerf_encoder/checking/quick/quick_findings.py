"""The quick check at the start of an encode: everything that small pictures of a clip's beginning show."""

from collections.abc import Sequence

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.capture_faults.finding import Finding
from dynerf_encoder.capture_faults.picture_faults import Pictures, picture_findings
from dynerf_encoder.captures.lens import Lens

from .frame_offsets import frame_offsets, offset_findings


def quick_findings(pictures: Pictures, cameras: Sequence[Camera]) -> list[Finding]:
    """What is wrong with small pictures of cameras, which are described at their full size."""
    findings = picture_findings(pictures)
    faulty = {name for finding in findings for name in finding.cameras}
    intact = [camera for camera in cameras if camera.name not in faulty]
    lenses = {camera.name: _lens(camera) for camera in intact}
    poses = {camera.name: Pose.of_camera_to_world(camera.camera_to_world) for camera in intact}
    return findings + offset_findings(frame_offsets({name: pictures[name] for name in lenses}, lenses, poses))


def _lens(camera: Camera) -> Lens:
    return Lens(camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y)
