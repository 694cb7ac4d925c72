"""Converts poses as the layouts state them, with errors that name the file and the camera."""

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.conventions import opencv_rotation, pose_of_extrinsics
from dynerf_format.errors import CaptureError, ViewError


def from_world_to_camera(
    rotation: np.ndarray, translation: np.ndarray, where: str
) -> Float[np.ndarray, "3 4"]:
    """The pose of x_camera = R x_world + t with OpenCV's axes; R is a matrix or a rotation vector."""
    try:
        return pose_of_extrinsics(opencv_rotation(rotation, where), translation, where)
    except ViewError as error:
        raise CaptureError(str(error)) from error


def from_camera_to_world(matrix: np.ndarray) -> Float[np.ndarray, "3 4"]:
    """The pose of a 4x4 or 3x4 camera-to-world matrix with OpenGL's axes; ``checked_recording`` checks it."""
    return np.asarray(matrix[:3])


def from_centre(rotation: np.ndarray, centre: np.ndarray, where: str) -> Float[np.ndarray, "3 4"]:
    """The pose of a world-to-camera rotation with OpenCV's axes and the camera's centre."""
    pose = from_world_to_camera(rotation, np.zeros(3), where)
    return np.column_stack([pose[:, :3], centre])


def intrinsics_of_matrix(
    matrix: Float[np.ndarray, "3 3"], pixel: float, where: str
) -> tuple[float, float, float, float]:
    """Focal lengths and principal point of a camera matrix.

    ``pixel`` is 0.5 when the layout counts pixels from the centre of the first one, else 0. A skew below a
    thousandth of the focal length is ignored.
    """
    skew = max(abs(matrix[0, 1]), abs(matrix[1, 0]))
    if skew > 1e-3 * abs(matrix[0, 0]) or np.abs(matrix[2] - [0, 0, 1]).max() > 1e-6:
        raise CaptureError(f"{where}: K has a skew of {skew:g}, or a last row that is not 0 0 1")
    return (
        float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]) + pixel, float(matrix[1, 2]) + pixel
    )  # fmt: skip
