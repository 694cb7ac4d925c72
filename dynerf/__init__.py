"""dynerf: a codec and player for neural 3D video.

    import dynerf

    with dynerf.open("clip.dnv") as clip:  # a path, or an http or https address
        frame = clip.render(clip.cameras[0], time=0.1)
        rgb = frame.numpy()  # uint8, height x width x 3

Conventions everywhere: cameras have OpenGL's axes (x right, y up, looking along -z) and ``camera_to_world``
poses; the centre of the first pixel is at (0.5, 0.5); distances are in the recording's world units; time is
in seconds or in frames, which may be fractional. Every error caused by input is a subclass of DynerfError.

Importing this package loads nothing else; each name is imported on first use (PEP 562). The command
``dynerf`` offers the same and more; see ``dynerf --help``.

Sub-packages: ``cli``, ``arguments`` and ``commands`` (the command line), ``api`` (the functions above),
``console`` (terminal output, log, choice of device).
"""

TYPE_CHECKING = False  # not imported from typing, which takes longer to load than this package
if TYPE_CHECKING:
    from dynerf.api.encoding import encode
    from dynerf.api.evaluating import evaluate
    from dynerf.api.inspecting import CameraInfo, Info, LayerInfo, SegmentInfo, SoundInfo, info
    from dynerf.api.opening import open, open_async  # noqa: A004 - read as dynerf.open
    from dynerf_decoder.cameras.camera import Camera, Cameras
    from dynerf_decoder.cameras.paths import Shot, Trajectory
    from dynerf_decoder.clip.clip import Clip
    from dynerf_decoder.progress import Progress
    from dynerf_decoder.render.frame import Frame
    from dynerf_encoder.evaluation.evaluate import Evaluation, FrameScore
    from dynerf_encoder.jobs.job import EncodeResult
    from dynerf_format.errors import (
        CaptureError,
        ConfigError,
        DynerfError,
        FormatError,
        OutputError,
        RemoteError,
        ResumeError,
        ViewError,
    )
    from dynerf_format.version import __version__
    from dynerf_player.client.async_clip import AsyncClip

    from . import paths

__all__ = [
    "AsyncClip",
    "Camera",
    "CameraInfo",
    "Cameras",
    "CaptureError",
    "Clip",
    "ConfigError",
    "DynerfError",
    "EncodeResult",
    "Evaluation",
    "FormatError",
    "Frame",
    "FrameScore",
    "Info",
    "LayerInfo",
    "OutputError",
    "Progress",
    "RemoteError",
    "ResumeError",
    "SegmentInfo",
    "Shot",
    "SoundInfo",
    "Trajectory",
    "ViewError",
    "__version__",
    "encode",
    "evaluate",
    "info",
    "open",
    "open_async",
    "paths",
]

# The module that defines each name. A module whose last part is the name itself is exported as a module.
_MODULES = {
    "AsyncClip": "dynerf_player.client.async_clip",
    "Camera": "dynerf_decoder.cameras.camera",
    "CameraInfo": "dynerf.api.inspecting",
    "Cameras": "dynerf_decoder.cameras.camera",
    "CaptureError": "dynerf_format.errors",
    "Clip": "dynerf_decoder.clip.clip",
    "ConfigError": "dynerf_format.errors",
    "DynerfError": "dynerf_format.errors",
    "EncodeResult": "dynerf_encoder.jobs.job",
    "Evaluation": "dynerf_encoder.evaluation.evaluate",
    "FormatError": "dynerf_format.errors",
    "Frame": "dynerf_decoder.render.frame",
    "FrameScore": "dynerf_encoder.evaluation.evaluate",
    "Info": "dynerf.api.inspecting",
    "LayerInfo": "dynerf.api.inspecting",
    "OutputError": "dynerf_format.errors",
    "Progress": "dynerf_decoder.progress",
    "RemoteError": "dynerf_format.errors",
    "ResumeError": "dynerf_format.errors",
    "SegmentInfo": "dynerf.api.inspecting",
    "Shot": "dynerf_decoder.cameras.paths",
    "SoundInfo": "dynerf.api.inspecting",
    "Trajectory": "dynerf_decoder.cameras.paths",
    "ViewError": "dynerf_format.errors",
    "__version__": "dynerf_format.version",
    "encode": "dynerf.api.encoding",
    "evaluate": "dynerf.api.evaluating",
    "info": "dynerf.api.inspecting",
    "open": "dynerf.api.opening",
    "open_async": "dynerf.api.opening",
    "paths": "dynerf.paths",
}

if not TYPE_CHECKING:  # otherwise type checkers accept any attribute of this module

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(_MODULES[name])
        value: object = module if _MODULES[name] == f"{__name__}.{name}" else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
