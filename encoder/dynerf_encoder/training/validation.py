"""Render held-out pictures with a model in memory: during a training, and for the final PSNR.

Nothing here feeds back into the training.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.field import Model
from dynerf_decoder.render.frame import render_frame
from dynerf_decoder.scene.contraction import Space
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_encoder.evaluation.metrics import psnr
from dynerf_encoder.frames.frame_store import FrameStore


class HeldOutValidator:
    """Compares renderings with the store's pictures of the views ``views`` (store indices)."""

    def __init__(
        self, store: FrameStore, views: tuple[int, ...], space: Space, sampling: Sampling, device: str
    ) -> None:
        self._store = store
        self._views = views
        self._space = space
        self._sampling = sampling
        self._device = device

    def sampled_psnr(self, model: Model, latents: Float[Tensor, "frame latent"], count: int) -> float | None:
        """Mean PSNR in dB of some frames of the first view, the middles of ``count`` equal parts.

        None if no view is held out.
        """
        if not self._views:
            return None
        frames = sorted({(2 * part + 1) * self._store.frames // (2 * count) for part in range(count)})
        scores = [self._psnr(model, latents[frame], self._views[0], frame) for frame in frames]
        return sum(scores) / len(scores)

    def mean_psnr(
        self,
        model: Model,
        latents: Float[Tensor, "frame latent"],
        progress: Callable[[int, int], None],
        first: int = 0,
        every: int = 1,
    ) -> float | None:
        """Mean PSNR in dB of every ``every``-th frame in all views; None if no view is held out.

        ``latents`` are those of the store's frames from ``first`` on.
        """
        work = [(view, frame) for view in self._views for frame in range(0, len(latents), every)]
        scores = []
        for view, frame in work:
            scores.append(self._psnr(model, latents[frame], view, first + frame))
            progress(len(scores), len(work))
        return sum(scores) / len(scores) if scores else None

    @torch.no_grad()
    def _psnr(self, model: Model, latent: Float[Tensor, " latent"], view: int, frame: int) -> float:
        folded = model.fold(latent.unsqueeze(0).to(self._device))
        camera = self._store.cameras[view]
        decoded = render_frame(folded, camera, self._space, self._sampling, self._device)
        truth = torch.as_tensor(self._store.view(view)[frame].copy()).float() / 255
        covered = self._store.covered[view]
        return psnr(decoded.rgb.cpu(), truth, None if covered is None else torch.as_tensor(covered))
