"""Makes lenses of whole numbers, for tests."""

from dynerf_encoder.captures.lens import Lens


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
    numbers = tuple(map(float, (focal_x, focal_y, centre_x, centre_y)))
    return Lens(width, height, *numbers, model, distortion)  # type: ignore[arg-type]
