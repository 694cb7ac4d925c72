"""Early in a training: do the pictures say that the poses are in another convention?

By wrong poses a training learns each camera's pictures apart: a view that it does not see stays as far from
the truth as a picture of one colour, and training views get little better than that. By right ones both gain
alike. Two small pictures tell, at step 200 and, until they are clear, at twice the step before. Nothing here
feeds back into the training.

Rays of training views that were not drawn yet are not a substitute for a held-out view: by wrong poses they
are predicted as well as those that were (measured on candle). Without one, the training view's gain decides.

Gains in dB over the best picture of one colour, measured at step 200 of ``preview``, cam00 held out:

| capture, poses | held-out view | training view |
|---|--:|--:|
| candle, right | 10.9 | 10.7 |
| candle, axes of OpenGL, of OpenCV | 1.3, -1.6 | 3.8, 4.5 |
| candle, world-to-camera (OpenCV's, OpenGL's, the layout's axes) | 1.1, 0.2, 0.2 | 2.9, 2.3, 2.2 |
| candle, rows shifted by one camera | 0.6 | 1.5 |
| basketball, right | 8.3 | 8.5 |
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
from dynerf_encoder.evaluation.metrics import psnr
from dynerf_encoder.frames.frame_store import FrameStore

from .trainer import TrainingProgress

_FIRST_STEP = 200
_SIDE = 128  # pixels, of the pictures that are compared
_UNSEEN, _SEEN = 2.0, 4.5  # dB over one colour that a held-out and a training view reach soon by right poses
_PLAIN = 35  # dB of one colour: a picture that tells nothing
_BEHIND = 1.5  # dB of the held-out view behind a training view


class PoseCheck:
    """Looks at one held-out view and the training view nearest to it, at moments that thin out."""

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
        """``frame`` of the store is compared; one that is trained from the beginning. Views are indices."""
        self._store, self._space, self._sampling = store, space, sampling
        self._device, self._frame = device, frame
        self._held_out = held_out[0] if held_out else None
        place = store.cameras[held_out[0] if held_out else training[0]].origin
        distances = [float(np.linalg.norm(store.cameras[view].origin - place)) for view in training]
        self._training = training[int(np.argmin(distances))]
        self._due: float = _FIRST_STEP

    def warning(
        self, place: TrainingProgress, model: Model, latents: Float[Tensor, "frame latent"]
    ) -> str | None:
        """One line when pictures look as by wrong poses; None else. Costs nothing once it is clear."""
        if place.step < self._due:
            return None
        self._due = 2 * place.step
        seen = self._gain(self._training, model, latents)
        unseen = seen if self._held_out is None else self._gain(self._held_out, model, latents)
        if unseen >= (_SEEN if self._held_out is None else _UNSEEN):
            self._due = math.inf
            return None
        if not self._is_wrong(seen, unseen, isinstance(model, PlanesModel)):
            return None
        self._due = math.inf
        return self._line(place, seen, unseen)

    def _is_wrong(self, seen: float, unseen: float, learns_fast: bool) -> bool:
        if self._held_out is None:
            return learns_fast
        return seen - unseen >= _BEHIND or (learns_fast and seen < 0)

    def _line(self, place: TrainingProgress, seen: float, unseen: float) -> str:
        names = self._store.names
        found = f"training view {names[self._training]} is {_compared(seen)}"
        if self._held_out is not None:
            found = f"held-out view {names[self._held_out]} is {_compared(unseen)}, {found}"
        doubt = (
            "" if self._held_out is None else "unless only the held-out camera sees its part of the scene, "
        )
        return f"pictures after {place.step} steps: {found}; {doubt}the poses may be wrong; {CAUSES}"

    @torch.no_grad()
    def _gain(self, view: int, model: Model, latents: Float[Tensor, "frame latent"]) -> float:
        """How much better the view is than a picture of one colour, in dB."""
        camera, truth = self._small(view)
        folded = model.fold(latents[self._frame].unsqueeze(0).to(self._device))
        decoded = render_frame(folded, camera, self._space, self._sampling, self._device)
        flat = psnr(truth.mean(dim=(0, 1)).expand_as(truth), truth)
        return math.inf if flat > _PLAIN else psnr(decoded.rgb.cpu(), truth) - flat

    def _small(self, view: int) -> tuple[Camera, Float[Tensor, "height width 3"]]:
        """A view's camera and picture, averaged to a small size."""
        camera = self._store.cameras[view]
        factor = -(-max(camera.width, camera.height) // _SIDE)
        factor = min(factor, camera.width, camera.height)
        small = camera.downscaled(factor)
        whole = self._store.view(view)[self._frame][: small.height * factor, : small.width * factor]
        blocks = whole.reshape(small.height, factor, small.width, factor, 3)
        return small, torch.as_tensor(blocks.mean(axis=(1, 3)) / 255, dtype=torch.float32)


def _compared(gain: float) -> str:
    return f"{abs(gain):.1f} dB {'better' if gain >= 0 else 'worse'} than a picture of one colour"
