"""The file of a job: how large it would be now, and the finished one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.build import load_weights
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.export.occupancy_grid import find_occupancy
from dynerf_encoder.export.tensors import (
    arranged,
    continuing_chunks,
    dequantised_latents,
    layer_factors,
    layered_weights,
    make_chunks,
    make_header,
    marked_as_continuing,
    quantise_clip,
)
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rate.target_size import meet_target
from dynerf_encoder.training.trainer import Trainer
from dynerf_encoder.training.validation import HeldOutValidator
from dynerf_format import Chunk, Header, QuantisedTensor, occupancy_chunk, weights_chunks
from dynerf_format.container.writer import clip_bytes, write_clip

from .job import EncodeResult, Job, Unwatched, Watcher, checkpoint_path, work_folder

_MOST_GRIDS = 0.1  # of a target: speed is not what was asked for
_SKIM = 5  # every so many frames tell enough of a layer that is not the last


@dataclass(frozen=True)
class ClipFile:
    """All that a job's file is made of; the trainer's model is read when it is asked for."""

    job: Job
    trainer: Trainer
    store: FrameStore
    held_out: tuple[str, ...]
    space: Space

    @property
    def _shown(self) -> slice:
        """The store's frames that the file shows: those trained for the borders' sake only are left out."""
        before, after = self.job.overlap
        return slice(before, self.store.frames - after)

    def size_at(self, steps: Quantisation) -> int:
        """The bytes the file would have, were the model as it is now written with these steps."""
        weights, groups = self._quantised(steps)
        layers = self._continuing(weights) or weights_chunks(0, weights, layer_factors(weights))
        return len(clip_bytes(self._header(steps, {}), arranged(layers, groups)))

    def write(self, look: HeldOutValidator, watcher: Watcher) -> EncodeResult:
        """Quantise, measure what a decoder will show, write, and drop the checkpoint."""
        steps, gridded = self._steps()
        weights, groups = self._quantised(steps)
        quality: dict[str, float | int | str] = {"steps": self.trainer.place.step}
        layers = layered_weights(weights)
        for number, layer in enumerate(layers, start=1):  # the last, complete one stays in the model
            load_weights(self.trainer.model, {name: tensor.dequantise() for name, tensor in layer.items()})
            every = 1 if number == len(layers) else _SKIM
            score = self._measure(dequantised_latents(groups), look, watcher, every)
            if score is not None:
                quality[f"held_out_psnr_layers_{number}"] = round(score, 4)
        if score is not None:
            quality["held_out_psnr"] = round(score, 4)
        place = self.trainer.place
        grids = self._grids(dequantised_latents(groups), len(layers), watcher) if gridded else []
        header, chunks = self._header(steps, quality), make_chunks(weights, groups, grids)
        continuing = self._continuing(weights)
        if self.job.predecessor is not None:
            chunks += marked_as_continuing(continuing, self.job.predecessor)
        size = write_clip(self.job.output, header, chunks)
        if continuing:  # what it will take in the whole clip
            size = len(clip_bytes(header, arranged(continuing, groups, grids)))
        checkpoint_path(self.job).unlink(missing_ok=True)
        return EncodeResult(self.job.output, size, score, place.step, place.seconds, work_folder(self.job))

    def _quantised(
        self, steps: Quantisation
    ) -> tuple[list[QuantisedTensor], list[tuple[int, QuantisedTensor]]]:
        latents = self.trainer.latents[self._shown]
        return quantise_clip(self.trainer.model, latents, steps, self.store.fps)

    def _continuing(self, weights: Sequence[QuantisedTensor]) -> list[Chunk]:
        """The layers of the weights as they continue the predecessor's, if there is one; or nothing."""
        return [] if self.job.predecessor is None else continuing_chunks(weights, self.job.predecessor)

    def _measure(
        self, latents: Float[Tensor, "frame latent"], look: HeldOutValidator, watcher: Watcher, every: int
    ) -> float | None:
        """The held-out PSNR (dB) of the weights that the model holds now, over every ``every``-th frame."""
        return look.mean_psnr(
            self.trainer.model,
            latents,
            lambda done, total: watcher.progress("measuring the held-out view", done, total),
            first=self._shown.start,
            every=every,
        )

    def _steps(self) -> tuple[Quantisation, bool]:
        """The steps the model was trained for, adjusted to the last bytes of a target, and whether there will
        be grids: not where they would take much of it.

        What the grids will take is estimated by those of the middle frame.
        """
        trained, target = self.trainer.rate.quantisation, self.job.config.rate.target
        if target == 0:
            return trained, True
        latents = self.trainer.latents[self._shown]
        grids = self._grids(latents[len(latents) // 2 :][:1], 1, Unwatched())
        header, chunks = small = self._header(trained, {}), make_chunks(*self._quantised(trained))
        aside = len(clip_bytes(header, [*chunks, *grids])) - len(clip_bytes(*small))
        gridded = aside <= _MOST_GRIDS * target
        return meet_target(lambda steps: self.size_at(steps) + aside * gridded, trained, target), gridded

    def _grids(self, latents: Float[Tensor, "frame latent"], layers: int, watcher: Watcher) -> list[Chunk]:
        """The chunk that says where the model, as it is now, is empty in these frames, if it is anywhere and
        that is wanted.
        """
        size = self.job.config.quantisation.grid
        if size == 0:
            return []
        found = find_occupancy(
            self.trainer.model,
            latents,
            layers,
            size,
            lambda done, total: watcher.progress("finding empty space", done, total),
        )
        return [] if found is None else [occupancy_chunk(0, found)]

    def _header(self, steps: Quantisation, quality: dict[str, float | int | str]) -> Header:
        """The header, with the steps that were used, whatever the job asked for."""
        job = self.job
        return make_header(
            replace(job.config, quantisation=steps),
            cameras=self.store.cameras,
            held_out=self.held_out,
            space=self.space,
            fps=self.store.fps,
            frames=self._shown.stop - self._shown.start,
            first_source_frame=self.store.first_source_frame + self._shown.start,
            job={
                "downscale": job.downscale,
                "seed": job.seed,
                "device": torch.device(job.device).type,
                **job.record,
            },
            quality=quality,
        )
