"""What the user chooses for a calibration."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dynerf_format.errors import ConfigError

LensChoice = Literal["pinhole", "radial", "opencv", "fisheye"]
SameLens = Literal["yes", "no", "per-folder"]
SyncChoice = Literal["auto", "timecode", "sound", "motion", "none"]
Export = Literal["llff", "nerfstudio"]

COLMAP_MODELS: dict[str, str] = {
    "pinhole": "SIMPLE_PINHOLE",
    "radial": "SIMPLE_RADIAL",
    "opencv": "OPENCV",
    "fisheye": "OPENCV_FISHEYE",
}
DEFAULT_TIMES = 6
_MAX_TIMES = 32


@dataclass(frozen=True)
class Scale:
    """A known distance between two cameras' centres, in metres."""

    metres: float
    cameras: tuple[str, str]


@dataclass(frozen=True)
class CalibrationOptions:
    """``output`` is the capture.json to write. ``times`` are frame numbers, or how many to spread.

    ``focal`` is the focal length in pixels when it is known. Raises ConfigError for values out of range.
    """

    folder: Path
    output: Path
    lens: LensChoice = "pinhole"
    focal: float | None = None
    same_lens: SameLens = "yes"
    sync: SyncChoice = "auto"
    scale: Scale | None = None
    export: tuple[Export, ...] = ()
    seed: int = 0
    times: int | tuple[int, ...] = DEFAULT_TIMES
    threads: int = 1
    resume: bool = False
    work: Path = field(init=False)

    def __post_init__(self) -> None:
        if not self.output.name:
            raise ConfigError(
                f"output {str(self.output)!r}, expected the name of a file such as capture.json"
            )
        object.__setattr__(self, "work", self.output.with_name(f"{self.output.stem}.work"))
        for name, value, choices in (
            ("lens", self.lens, LensChoice),
            ("same lens", self.same_lens, SameLens),
            ("sync", self.sync, SyncChoice),
        ):
            if value not in get_args(choices):
                raise ConfigError(f"{name}: {value!r}, expected one of {', '.join(get_args(choices))}")
        count = self.times if isinstance(self.times, int) else len(set(self.times))
        if not 1 <= count <= _MAX_TIMES:
            raise ConfigError(f"{count} frames, expected 1 to {_MAX_TIMES}")
        if self.focal is not None and not 1 <= self.focal <= 1e6:
            raise ConfigError(f"focal length {self.focal:g} px, expected 1 to 1e6")
        if self.scale is not None and not 0 < self.scale.metres < 1e6:
            raise ConfigError(f"scale {self.scale.metres:g} m, expected more than 0")


def parse_scale(text: str) -> Scale:
    """``METRES:camA,camB``. Raises ConfigError."""
    number, _, names = text.partition(":")
    cameras = [name.strip() for name in names.split(",")]
    try:
        metres = float(number)
    except ValueError:
        metres = 0.0
    if len(cameras) != 2 or not all(cameras) or cameras[0] == cameras[1] or not 0 < metres < 1e6:
        raise ConfigError(f"scale {text!r}, expected METRES:camA,camB such as 1.25:cam00,cam05")
    return Scale(metres, (cameras[0], cameras[1]))
