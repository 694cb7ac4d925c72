"""Detect poses in the wrong convention from the pictures early in a training.

With wrong poses a training fits each camera's pictures separately: a held-out view stays as far from the
truth as a picture of one colour, and training views are little better. With correct poses both gain alike.
Two small pictures are compared at step 200 and then at twice the previous step, until the result is clear.
Nothing here feeds back into the training.

Rays of training views that were not drawn yet are not a substitute for a held-out view: with wrong poses they
are predicted as well as those that were (measured on candle). Without one, the training view's gain decides.

Gains in dB over the best picture of one colour, measured at step 200 of ``preview``, cam00 held out:

| capture, poses | held-out view | training view |
|---|--:|--:|
| candle, correct | 10.9 | 10.7 |
| candle, axes of OpenGL, of OpenCV | 1.3, -1.6 | 3.8, 4.5 |
| candle, world-to-camera (OpenCV's, OpenGL's, the layout's axes) | 1.1, 0.2, 0.2 | 2.9, 2.3, 2.2 |
| candle, rows shifted by one camera | 0.6 | 1.5 |
| basketball, correct | 8.3 | 8.5 |
| basketball, axes of OpenGL, of OpenCV | -2.2, -10.9 | 6.5, -11.6 |
| basketball, world-to-camera (OpenGL's axes) | -8.7 | -11.4 |
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.field import Model
from dynerf_decoder.fields.planes import PlanesModel
from dynerf_decoder.render.frame import render_frame
from dynerf_decoder.scene.contraction import Space
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_encoder.captures.pose_signs import CAUSES
from dynerf_encoder.evaluation.metrics import Covered, psnr
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.ingest.box_average import all_in_box

from .trainer import TrainingProgress

_FIRST_STEP = 200
_SIDE = 128  # pixels, of the pictures that are compared
_MIN_HELD_OUT, _MIN_TRAINING = 2.0, 4.5  # dB over one colour that views reach early with correct poses
_UNIFORM = 35  # dB of one colour: a picture too uniform to compare
_MAX_LAG = 1.5  # dB of the held-out view behind a training view


class PoseCheck:
    """Compares one held-out view and the training view nearest to it, at increasing intervals."""

    def __init__(
        self,
        store: FrameStore,
        training: Sequence[int],
        held_out: Sequence[int],
        space: Space,
        sampling: Sampling,
        device: str,
        frame: int,
    ) -> None:
        """Compare ``frame`` of the store, which must be trained from the start. Views are indices."""
        self._store, self._space, self._sampling = store, space, sampling
        self._device, self._frame = device, frame
        self._held_out = held_out[0] if held_out else None
        centre = store.cameras[held_out[0] if held_out else training[0]].origin
        distances = [float(np.linalg.norm(store.cameras[view].origin - centre)) for view in training]
        self._training = training[int(np.argmin(distances))]
        self._due: float = _FIRST_STEP

    def warning(
        self, progress: TrainingProgress, model: Model, latents: Float[Tensor, "frame latent"]
    ) -> str | None:
        """A message if the poses seem to be wrong, else None. Costs nothing once the result is clear."""
        if progress.step < self._due:
            return None
        self._due = 2 * progress.step
        training_gain = self._gain(self._training, model, latents)
        held_out_gain = training_gain
        if self._held_out is not None:
            held_out_gain = self._gain(self._held_out, model, latents)
        if held_out_gain >= (_MIN_TRAINING if self._held_out is None else _MIN_HELD_OUT):
            self._due = math.inf
            return None
        if not self._is_wrong(training_gain, held_out_gain, isinstance(model, PlanesModel)):
            return None
        self._due = math.inf
        return self._message(progress, training_gain, held_out_gain)

    def _is_wrong(self, training_gain: float, held_out_gain: float, learns_fast: bool) -> bool:
        if self._held_out is None:
            return learns_fast
        return training_gain - held_out_gain >= _MAX_LAG or (learns_fast and training_gain < 0)

    def _message(self, progress: TrainingProgress, training_gain: float, held_out_gain: float) -> str:
        names = self._store.names
        comparison = f"training view {names[self._training]} is {_compared(training_gain)}"
        if self._held_out is not None:
            comparison = f"held-out view {names[self._held_out]} is {_compared(held_out_gain)}, {comparison}"
        caveat = (
            "" if self._held_out is None else "unless only the held-out camera sees its part of the scene, "
        )
        return f"pictures after {progress.step} steps: {comparison}; {caveat}the poses may be wrong; {CAUSES}"

    @torch.no_grad()
    def _gain(self, view: int, model: Model, latents: Float[Tensor, "frame latent"]) -> float:
        """How much better the view is than a picture of one colour, in dB."""
        camera, truth, covered = self._small(view)
        folded = model.fold(latents[self._frame].unsqueeze(0).to(self._device))
        decoded = render_frame(folded, camera, self._space, self._sampling, self._device)
        seen = truth.flatten(0, 1) if covered is None else truth[covered]
        flat = psnr(seen.mean(dim=0).expand_as(truth), truth, covered)
        return math.inf if flat > _UNIFORM else psnr(decoded.rgb.cpu(), truth, covered) - flat

    def _small(self, view: int) -> tuple[Camera, Float[Tensor, "height width 3"], Covered]:
        """A view's camera and picture, reduced by averaging, and which of its pixels have a source."""
        camera = self._store.cameras[view]
        factor = -(-max(camera.width, camera.height) // _SIDE)
        factor = min(factor, camera.width, camera.height)
        small = camera.downscaled(factor)
        whole = self._store.view(view)[self._frame][: small.height * factor, : small.width * factor]
        blocks = whole.reshape(small.height, factor, small.width, factor, 3)
        picture = torch.as_tensor(blocks.mean(axis=(1, 3)) / 255, dtype=torch.float32)
        covered = self._store.covered[view]
        return small, picture, None if covered is None else torch.as_tensor(all_in_box(covered, factor))


def _compared(gain: float) -> str:
    return f"{abs(gain):.1f} dB {'better' if gain >= 0 else 'worse'} than a picture of one colour"
