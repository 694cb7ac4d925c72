"""Fisheye lenses: mapped with the division model, then converted (child process only).

COLMAP verifies no pair of fisheye cameras whose focal length is unknown, because a fundamental matrix is of
perspective pictures. The division model is one: x = x' / (1 + k r'^2), where x' is the distorted position
(A. W. Fitzgibbon, "Simultaneous linear estimation of multiple view geometry and lens distortion", CVPR 2001);
up to at least 70 degrees from the axis it is near a fisheye lens, and mappers find its parameters.
"""

from typing import Any

import numpy as np
import pycolmap

FISHEYE = "OPENCV_FISHEYE"
_STAND_IN = "DIVISION"
_NARROW = np.radians(40)  # from the axis to a corner
_SAMPLES = 50  # of the radius, for the first guess of the coefficients


def mapped_as(model: str) -> str:
    """The model by which cameras of ``model`` are mapped."""
    return _STAND_IN if model == FISHEYE else model


def convert_to_fisheye(camera: Any) -> None:
    """Turn a camera of the division model into the fisheye camera that is nearest to it, in place.

    r' = theta (1 + k1 theta^2 + k2 theta^4) is fitted to theta = atan(r' / (1 + k r'^2)) up to the corners.
    """
    focal_x, focal_y, centre_x, centre_y, k = camera.params
    corner = np.hypot(camera.width / focal_x, camera.height / focal_y) / 2
    radius = np.linspace(0, corner, _SAMPLES + 1)[1:]
    angle = np.arctan2(radius, 1 + k * radius**2)
    terms = np.column_stack([angle**3, angle**5])
    first, second = np.linalg.lstsq(terms, radius - angle, rcond=None)[0]
    camera.model = pycolmap.CameraModelId.OPENCV_FISHEYE
    camera.params = [focal_x, focal_y, centre_x, centre_y, first, second, 0.0, 0.0]


def shows_its_distortion(camera: Any) -> bool:
    """Whether the four coefficients can be refined: those of a fisheye lens only in a wide picture.

    Within narrow ones the higher powers of the angle are too small: any coefficients fit, and most of them
    give one position to several directions.
    """
    if camera.model_name != FISHEYE:
        return True
    focal_x, focal_y = camera.params[:2]
    return bool(np.hypot(camera.width / focal_x, camera.height / focal_y) / 2 > _NARROW)
