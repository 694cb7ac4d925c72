"""A .dnv file opened for rendering: folds the latent of a moment and renders any camera.

Times are frame numbers of the clip and may be fractional: latents are interpolated linearly between frames.
``Clip.render`` also takes seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32

from dynerf_decoder.cameras.camera import Camera, Cameras, camera_rays
from dynerf_decoder.cameras.paths import Shot, Trajectory
from dynerf_decoder.fields.build import load_model
from dynerf_decoder.fields.field import FoldedModel, Model
from dynerf_decoder.progress import OnProgress
from dynerf_decoder.render.frame import Frame, render_frame
from dynerf_decoder.scene.from_header import camera_of, sampling_of, space_of, volume_of
from dynerf_decoder.sound.audio_stream import AudioCodec
from dynerf_decoder.sound.sound_track import has_sound, sound_of_frames
from dynerf_format import SAMPLE_RATE, latents_entries
from dynerf_format.container.reader import Reader
from dynerf_format.errors import FormatError, ViewError

from .model_cache import ModelCache
from .saving import save_video

if TYPE_CHECKING:
    from dynerf_format.container.records import Header

_MAX_FPS_DENOMINATOR = 100_000  # limit of a video file
_SAMPLES_MAX = 6 * 3600 * SAMPLE_RATE  # of sound in one array


class Clip:
    """Renders the clip of a reader. Weights are loaded per segment, latents when a moment needs them.

    ``close``, or leaving a ``with`` block, ends the thread that ``prefetch_model`` starts and calls
    ``on_close``; the reader's source is otherwise left to the caller. A clip must not be used by several
    threads at once.
    """

    def __init__(
        self,
        reader: Reader,
        device: torch.device | str = "cpu",
        name: str = "clip",
        layers: int | None = None,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """``name`` identifies the clip in errors; ``layers`` is the maximum number of quality layers to use.

        Raises FormatError when the header cannot be rendered, ViewError when ``layers`` is below 1.
        """
        self.reader = reader
        self.header: Header = reader.header
        self.device = torch.device(device)
        self.name = name
        with self._naming_errors():
            self.space = space_of(self.header)
            self.sampling = sampling_of(self.header)
            self.cameras = Cameras((camera_of(record) for record in self.header.cameras), name)
            self.viewing_volume = volume_of(self.header)
        self._cached_latents = 0, np.zeros((0, 0), np.float32)
        self._models = ModelCache(self._load_model)
        self._on_close = on_close
        self.layers = layers

    def __enter__(self) -> "Clip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.header.frames

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.header.fps

    @property
    def has_sound(self) -> bool:
        """Whether any frame has sound."""
        return has_sound(self.reader)

    def sound(self, first_frame: int = 0, frames: int | None = None) -> Float32[np.ndarray, "sample channel"]:
        """The sound of ``frames`` frames (default: all that follow) from ``first_frame`` on.

        48 kHz, in one or two channels, from -1 to 1; zeros where the clip has none. Frame f begins at sample
        floor(f * 48000 / fps) of the clip. Raises ViewError outside the clip and for more than six hours at
        once, FormatError when the file is damaged there.
        """
        count = self.frames - first_frame if frames is None else frames
        if not 0 <= first_frame < first_frame + count <= self.frames:
            raise ViewError(
                f"{self.name}: sound of frames {first_frame} to {first_frame + count - 1}, the clip has 0 to "
                f"{self.frames - 1}"
            )
        track = sound_of_frames(self.reader, first_frame, count)
        if track.samples > _SAMPLES_MAX:  # frames of a forged rate last for years
            raise ViewError(f"{self.name}: {track.samples} samples of sound, expected at most {_SAMPLES_MAX}")
        return track.array()

    def frame_at(self, seconds: float) -> float:
        """The frame number ``seconds`` from the start; integral when it is so up to rounding."""
        frame = seconds * self.fps.numerator / self.fps.denominator
        nearest = round(frame)
        return float(nearest) if abs(frame - nearest) < 1e-6 else frame

    def _moment(self, seconds: float) -> float:
        """The moment as a frame number. Raises ViewError outside the clip's duration."""
        duration = float(self.frames / self.fps)
        if not 0 <= seconds <= duration:
            raise ViewError(f"{self.name}: time {seconds:g} s, expected 0 to {duration:g} s")
        return min(self.frame_at(seconds), self.frames - 1.0)

    @property
    def layers(self) -> int | None:
        """The maximum number of quality layers to use; None: all. May be changed at any time."""
        return self._layers

    @layers.setter
    def layers(self, layers: int | None) -> None:
        if layers is not None and layers < 1:
            raise ViewError(f"{layers} layers requested, expected at least 1")
        self._layers = layers
        self._models.clear()

    def model(self, segment: int) -> Model:
        """The model of a segment, on the device; the last two are cached.

        Raises FormatError when the weights do not fit the field's settings.
        """
        return self._models.get(segment)

    def prefetch_model(self, segment: int) -> None:
        """Load a segment's model in a thread; an error is raised when the model is used."""
        self._models.prefetch(segment)

    def close(self, *, wait: bool = True) -> None:
        """End the thread that loads models; with ``wait``, after its current load."""
        self._models.close(wait=wait)
        if self._on_close is not None:
            self._on_close()

    def _load_model(self, segment: int) -> Model:
        weights = self.reader.weights(segment, self.layers)
        with self._naming_errors():
            model = load_model(self.header.field.kind, self.header.field.settings, weights)
        if self.layers is None or self.layers >= self.reader.layers(segment):
            with suppress(FormatError):  # a damaged grid costs speed only
                occupancy = self.reader.occupancy(segment)
                if occupancy is not None and occupancy.layers == self.reader.layers(segment):
                    model.occupancy = occupancy
        return model.to(self.device).eval().requires_grad_(False)

    @torch.no_grad()
    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment, 0 <= frame <= frames - 1; fractions interpolate the latents.

        Between two segments the nearer frame is used (``Header.moment``). Raises ViewError outside the clip.
        """
        before, share = self.header.moment(frame)
        latents = torch.as_tensor(self._latents_at(before, 2 if share > 0 else 1), device=self.device)
        model = self.model(self.header.segment_at(before))
        if latents.shape[1] != model.latent_size:
            raise FormatError(
                f"{self.name}: latents of {latents.shape[1]} numbers, expected {model.latent_size} by the "
                "field's settings"
            )
        latent = latents[0] if share == 0 else torch.lerp(latents[0], latents[1], share)
        return model.fold(latent.unsqueeze(0))

    def segment_at(self, frame: float) -> int:
        """The segment whose model shows a moment. Raises ViewError outside the clip."""
        return self.header.segment_at(self.header.moment(frame)[0])

    def _latents_at(self, first: int, count: int) -> Float[np.ndarray, "frame latent"]:
        """Latents of consecutive frames; the groups decoded last are cached, as neighbours share them."""
        start, groups = self._cached_latents
        if not start <= first <= first + count <= start + len(groups):
            entries = latents_entries(self.reader.directory, first, count)
            start, stop = entries[0].first, entries[-1].first + entries[-1].count
            groups = self.reader.latents(start, stop - start)
            self._cached_latents = start, groups
        return groups[first - start : first - start + count]

    def depth_range(self) -> tuple[float, float]:
        """The least and greatest distance (world units) of the space in the views of the clip's cameras.

        Raises ViewError when no camera sees the space.
        """
        nearest, farthest = [], []
        for camera in self.cameras:
            origins, directions = camera_rays(camera.with_size(8, 8))
            segments = self.space.clip(origins, directions)
            if not segments.hit.any():
                continue
            nearest.append(float(segments.distance_in[segments.hit].min()))
            farthest.append(float(segments.distance_out[segments.hit].max()))
        if not nearest:
            raise ViewError(f"{self.name}: no camera sees the scene, so there is no depth to show")
        return max(min(nearest), 1e-3 * max(farthest)), max(farthest)

    def render(
        self,
        camera: Camera,
        *,
        time: int | float | None = None,
        frame: int | float | None = None,
        stop: Callable[[], bool] | None = None,
        plain: bool = False,
    ) -> Frame:
        """Render a camera's view at a moment: ``time`` in seconds, or ``frame``; exactly one of them.

        Frame i is shown from i / fps to (i + 1) / fps seconds, and fractions interpolate towards the next
        frame. ``stop`` is called before each tile; when it returns True, StoppedError is raised. ``plain``
        selects the slow reference renderer. Raises ViewError outside the clip, FormatError when the file is
        damaged there.
        """
        if frame is not None and time is None:
            moment = float(frame)
        elif time is not None and frame is None:
            moment = self._moment(float(time))
        else:
            raise TypeError("render: expected exactly one of time (seconds) and frame")
        return self.render_folded(self.fold(moment), camera, stop, plain=plain)

    def save_video(
        self,
        path: str | Path,
        view: Camera | Trajectory | Iterable[Shot],
        *,
        fps: int | float | Fraction | None = None,
        depth: bool = False,
        audio_codec: AudioCodec = "aac",
        on_progress: OnProgress | None = None,
    ) -> None:
        """Render a view to an H.264 video (``name.mp4``) or numbered pictures (``name_%04d.png``).

        ``view`` is a camera, which shows the whole clip, a trajectory, or shots. ``fps`` is the video's
        rate, by default the trajectory's or the clip's; content plays at its own speed at every rate, but
        shots are shown one after the other. ``depth`` shows depth instead of colour, red is near. A video
        gets the clip's sound, coded with ``audio_codec``, if its content plays at its own speed; damaged
        sound is silent. The file appears when it is complete. Raises ViewError, ConfigError (the name, the
        rate), OutputError, FormatError.
        """
        rate = None if fps is None else _exact_rate(fps)
        if isinstance(view, Camera):
            view = Trajectory.still(self, view)
        if isinstance(view, Trajectory):
            shots, rate = view.shots(rate)
        else:
            shots = list(view)
        save_video(
            self, Path(path), shots, self.fps if rate is None else rate, depth=depth, audio_codec=audio_codec,
            on_progress=on_progress,
        )  # fmt: skip

    def render_folded(
        self,
        folded: FoldedModel,
        camera: Camera,
        stop: Callable[[], bool] | None = None,
        *,
        plain: bool = False,
    ) -> Frame:
        """As ``render``, for a model returned by ``fold``."""
        return render_frame(folded, camera, self.space, self.sampling, self.device, stop, plain=plain)

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        """Prefix errors in header or weights with the clip's name."""
        try:
            yield
        except FormatError as error:
            raise type(error)(f"{self.name}: {error}") from error


def _exact_rate(fps: int | float | Fraction) -> Fraction:
    """The rate as a fraction that a video file can hold. Raises ViewError."""
    try:
        return Fraction(fps).limit_denominator(_MAX_FPS_DENOMINATOR)
    except (ValueError, OverflowError) as error:
        raise ViewError(f"fps {fps}: expected a positive number") from error
