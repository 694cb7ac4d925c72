"""Lenses: how a camera's directions fall on its picture, with distortion.

Camera space here has OpenCV's axes: x right, y down, z forwards. Positions are in pixels; the centre of the
first pixel is at (0.5, 0.5), as in ``cameras.camera``. With (x, y) = (X/Z, Y/Z), r^2 = x^2 + y^2:

- perspective models (Brown-Conrady, as in OpenCV's and COLMAP's FULL_OPENCV):
  x' = x q + 2 p1 x y + p2 (r^2 + 2 x^2), y' = y q + p1 (r^2 + 2 y^2) + 2 p2 x y,
  q = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6);
- fisheye models (OPENCV_FISHEYE): theta is the angle to the optical axis,
  theta' = theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8), along the same azimuth.

Then u = focal_x x' + centre_x, v = focal_y y' + centre_y. The other models have some of these coefficients.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from numpy.polynomial import Polynomial

from dynerf_format.errors import CaptureError

# Models by COLMAP's names, and which coefficients of the general model each one's are.
_PERSPECTIVE = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_FISHEYE = ("k1", "k2", "k3", "k4")
MODELS: dict[str, tuple[str, ...]] = {
    "PINHOLE": (),
    "SIMPLE_RADIAL": ("k1",),
    "RADIAL": ("k1", "k2"),
    "OPENCV": ("k1", "k2", "p1", "p2"),
    "FULL_OPENCV": _PERSPECTIVE,
    "SIMPLE_RADIAL_FISHEYE": ("k1",),
    "RADIAL_FISHEYE": ("k1", "k2"),
    "OPENCV_FISHEYE": _FISHEYE,
}
MAX_SIDE = 2**15  # pixels
_MAX_FOCAL = 1e6  # pixels
_MAX_COEFFICIENT = 1e4
_NEGLIGIBLE = 1e-30  # a leading coefficient: its roots are beyond any picture, and overflow
_STEPS = 12  # of Newton's method; 3 to 5 suffice for lenses of cameras
_SLACK = 0.75  # pixels around the picture within which the polynomial is monotonic
_WIDEST = math.pi  # radians from the axis


@dataclass(frozen=True)
class Lens:
    """Picture size, focal lengths and principal point in pixels, and the model's ``distortion``.

    ``distortion`` has the coefficients of ``MODELS[model]``, in that order. Raises CaptureError for values
    that do not describe a lens, and for distortion that is not monotonic within the picture, so that two
    directions would fall on one pixel.
    """

    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    model: str = "PINHOLE"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_values(self)
        if not math.isinf(self.limit):
            return
        if any(self.distortion):
            raise CaptureError(
                f"lens {self.model} with {_shown(self.distortion)}: its distortion is not monotonic within "
                f"the picture of {self.width}x{self.height}, expected one position for each direction; is "
                "the calibration of another picture size, or are the coefficients in another order?"
            )

    @property
    def fisheye(self) -> bool:
        """Whether distortion is a function of the angle to the optical axis."""
        return self.model.endswith("FISHEYE")

    @property
    def undistorted(self) -> bool:
        """Whether pictures are those of a pinhole camera."""
        return not self.fisheye and not any(self.distortion)

    @cached_property
    def limit(self) -> float:
        """The largest radius (angle for a fisheye) that falls on the picture; infinite without one.

        Beyond it the polynomial need not be monotonic: directions there have no position.
        """
        if self.undistorted:
            return math.inf
        reach = self._farthest()
        numerator, denominator = self._radial()
        slope = numerator.deriv() * denominator - numerator * denominator.deriv()
        turning = _smallest_positive_root(slope)
        pole = _smallest_positive_root(denominator)
        end = min(turning, pole, _WIDEST if self.fisheye else math.inf)
        beyond = _smallest_positive_root(numerator - reach * denominator)
        return beyond if beyond <= end else math.inf

    def project(
        self, directions: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
        """Picture positions of directions of any length, and which of them are in front and within ``limit``.

        Positions of the others are meaningless. A position may be outside the picture.
        """
        x, y, z = directions.T
        if self.fisheye:
            radius = np.hypot(x, y)
            angle = np.arctan2(radius, z)
            scale = _divided(self._angle_radius(angle), radius, 1.0)
            seen, found = angle <= self.limit, np.stack([x * scale, y * scale], axis=-1)
        else:
            ahead = z > 0
            x, y = _divided(x, np.where(ahead, z, 0.0), 0.0), _divided(y, np.where(ahead, z, 0.0), 0.0)
            seen = ahead & (np.hypot(x, y) <= self.limit)
            kept = np.stack([np.where(seen, x, 0.0), np.where(seen, y, 0.0)], axis=-1)
            found = self._distorted(kept)
        return found * [self.focal_x, self.focal_y] + [self.centre_x, self.centre_y], seen

    def directions(self, positions: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """Unit directions that fall on positions of the picture: the inverse of ``project``."""
        flat = (positions - [self.centre_x, self.centre_y]) / [self.focal_x, self.focal_y]
        if self.fisheye:
            radius = np.hypot(*flat.T)
            angle = self._undistorted_angle(radius)
            across = flat * _divided(np.sin(angle), radius, 1.0)[:, None]
            return np.column_stack([across, np.cos(angle)])
        if not self.undistorted:
            flat = self._undistorted(flat)
        found = np.column_stack([flat, np.ones(len(flat))])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    @property
    def coefficients(self) -> dict[str, float]:
        """The distortion by the coefficients' names."""
        return dict(zip(MODELS[self.model], self.distortion, strict=True))

    def _radial(self) -> tuple[Polynomial, Polynomial]:
        """Numerator and denominator of the distorted radius, as polynomials in the radius or angle."""
        k = self.coefficients
        names = ("k1", "k2", "k3", "k4") if self.fisheye else ("k1", "k2", "k3")
        numerator = Polynomial(_odd([1.0, *(k.get(name, 0.0) for name in names)]))
        if self.fisheye:
            return numerator, Polynomial([1.0])
        return numerator, Polynomial(_even([1.0, *(k.get(name, 0.0) for name in ("k4", "k5", "k6"))]))

    def _farthest(self) -> float:
        """The distorted radius of the picture's farthest corner, in units of the focal lengths."""
        x = max(self.centre_x, self.width - self.centre_x) + _SLACK
        y = max(self.centre_y, self.height - self.centre_y) + _SLACK
        return math.hypot(x / self.focal_x, y / self.focal_y)

    def _angle_radius(self, angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.asarray(self._radial()[0](angle))

    def _undistorted_angle(self, radius: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        polynomial = self._radial()[0]
        slope = polynomial.deriv()
        angle = np.minimum(radius, self.limit)
        for _ in range(_STEPS):
            angle = np.clip(angle - (polynomial(angle) - radius) / slope(angle), 0.0, self.limit)
        return np.asarray(angle)

    def _distorted(self, flat: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        k = self.coefficients
        p1, p2 = k.get("p1", 0.0), k.get("p2", 0.0)
        x, y = flat.T
        square = x * x + y * y
        factor = self._factor(square)[0]
        across = 2 * p1 * x * y + p2 * (square + 2 * x * x)
        down = p1 * (square + 2 * y * y) + 2 * p2 * x * y
        return np.stack([x * factor + across, y * factor + down], axis=-1)

    def _factor(self, square: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
        """The radial factor q, and its derivative, as functions of r^2."""
        k = self.coefficients
        above = Polynomial([1.0, *(k.get(name, 0.0) for name in ("k1", "k2", "k3"))])
        below = Polynomial([1.0, *(k.get(name, 0.0) for name in ("k4", "k5", "k6"))])
        top, bottom = above(square), below(square)
        slope = (above.deriv()(square) * bottom - top * below.deriv()(square)) / bottom**2
        return np.asarray(top / bottom), np.asarray(slope)

    def _undistorted(self, target: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Newton's method in two dimensions, from the inverse of the radial part alone."""
        k = self.coefficients
        p1, p2 = k.get("p1", 0.0), k.get("p2", 0.0)
        found = target.copy()
        for _ in range(_STEPS):
            x, y = found.T
            factor, slope = self._factor(x * x + y * y)
            xx = factor + 2 * slope * x * x + 2 * p1 * y + 6 * p2 * x
            xy = 2 * slope * x * y + 2 * p1 * x + 2 * p2 * y
            yy = factor + 2 * slope * y * y + 6 * p1 * y + 2 * p2 * x
            off = self._distorted(found) - target
            determinant = xx * yy - xy * xy
            step = np.stack([yy * off[:, 0] - xy * off[:, 1], xx * off[:, 1] - xy * off[:, 0]], axis=-1)
            found = found - step / determinant[:, None]
            radius = np.hypot(*found.T)
            found = found * np.minimum(1.0, _divided(np.full_like(radius, self.limit), radius, 1.0))[:, None]
        return np.asarray(found)


def lens_of(
    model: str, size: tuple[int, int], intrinsics: tuple[float, float, float, float], k: dict[str, float]
) -> Lens:
    """The lens of a family (``OPENCV`` or ``OPENCV_FISHEYE``) with named coefficients; missing ones are 0."""
    fisheye = model.endswith("FISHEYE")
    names = _FISHEYE if fisheye else _PERSPECTIVE
    values = tuple(float(k.get(name, 0.0)) for name in names)
    if fisheye:
        return Lens(*size, *intrinsics, "OPENCV_FISHEYE", values)
    if not any(values):
        return Lens(*size, *intrinsics)
    if not any(values[4:]):
        return Lens(*size, *intrinsics, "OPENCV", values[:4])
    return Lens(*size, *intrinsics, "FULL_OPENCV", values)


def _check_values(lens: Lens) -> None:
    names = MODELS.get(lens.model)
    if names is None:
        raise CaptureError(f"lens model {lens.model[:40]!r}, expected one of {', '.join(MODELS)}")
    if len(lens.distortion) != len(names):
        raise CaptureError(
            f"lens {lens.model}: {len(lens.distortion)} coefficients, expected {len(names)}"
            f"{f' ({names[0]} to {names[-1]})' if names else ''}"
        )
    if not (0 < lens.width <= MAX_SIDE and 0 < lens.height <= MAX_SIDE):
        raise CaptureError(
            f"lens of pictures of {lens.width}x{lens.height}, expected sides of 1 to {MAX_SIDE} pixels"
        )
    numbers = (lens.focal_x, lens.focal_y, lens.centre_x, lens.centre_y)
    centred = -MAX_SIDE <= lens.centre_x <= 2 * MAX_SIDE and -MAX_SIDE <= lens.centre_y <= 2 * MAX_SIDE
    if not (
        all(map(math.isfinite, numbers)) and 0 < min(numbers[:2]) <= max(numbers[:2]) < _MAX_FOCAL and centred
    ):
        raise CaptureError(
            f"lens with focal lengths {lens.focal_x:g} and {lens.focal_y:g}, principal point "
            f"({lens.centre_x:g}, {lens.centre_y:g}), expected positive focal lengths, in finite pixels"
        )
    if not all(math.isfinite(value) and abs(value) <= _MAX_COEFFICIENT for value in lens.distortion):
        raise CaptureError(
            f"lens {lens.model} with {_shown(lens.distortion)}, expected small, finite numbers"
        )


def _smallest_positive_root(polynomial: Polynomial) -> float:
    coefficients = np.where(np.abs(polynomial.coef) < _NEGLIGIBLE, 0.0, polynomial.coef)
    coefficients = np.trim_zeros(coefficients, "b")
    if len(coefficients) < 2:
        return math.inf
    roots = Polynomial(coefficients).roots()
    real = roots.real[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 1e-12)]
    return float(real.min()) if len(real) else math.inf


def _odd(values: list[float]) -> list[float]:
    """Coefficients of a polynomial whose odd powers have ``values``."""
    return [coefficient for value in values for coefficient in (0.0, value)]


def _even(values: list[float]) -> list[float]:
    """Coefficients of a polynomial whose even powers have ``values``."""
    return [coefficient for value in values for coefficient in (value, 0.0)][:-1]


def _divided(above: np.ndarray, below: np.ndarray, otherwise: float) -> np.ndarray:
    """The quotient, and ``otherwise`` where the divisor is 0."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), otherwise), where=below != 0))


def _shown(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
