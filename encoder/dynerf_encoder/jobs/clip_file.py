"""The output file of a job: its size if written now, and the finished file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.build import load_weights
from dynerf_decoder.fields.field import Model
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.export.occupancy_grid import find_occupancy
from dynerf_encoder.export.sound_chunks import with_sound
from dynerf_encoder.export.tensors import (
    as_difference_chunks,
    dequantised_latents,
    difference_chunks,
    make_chunks,
    make_header,
    order_chunks,
    quantise_clip,
)
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.layers.coarse_layers import NOT_TRAINED, CoarseLayers, train_layers
from dynerf_encoder.rate.target_size import NEAR_ERROR, STOP_ERROR, meet_target
from dynerf_encoder.training.trainer import Trainer
from dynerf_encoder.training.validation import HeldOutValidator
from dynerf_format import (
    Chunk,
    Header,
    QuantisedTensor,
    key_chunks,
    layers_between,
    occupancy_chunk,
)
from dynerf_format.container.writer import clip_bytes, write_clip

from .job import EncodeResult, Job, checkpoint_path, work_folder
from .watcher import NullWatcher, Watcher

_MAX_GRID_SHARE = 0.1  # of a target size: quality counts more than speed
_PARTIAL_LAYER_STRIDE = 5  # frames; enough to measure a layer that is not the last


@dataclass(frozen=True)
class ClipFile:
    """The inputs of a job's file; the trainer's model is read at each call."""

    job: Job
    trainer: Trainer
    store: FrameStore
    held_out: tuple[str, ...]
    space: Space

    @property
    def _written_frames(self) -> slice:
        """The store's frames that are written, without those that are only trained on as overlap."""
        before, after = self.job.segment.overlap
        return slice(before, self.store.frames - after)

    def size_at(self, steps: Quantisation, coarse: CoarseLayers = NOT_TRAINED) -> int:
        """The size in bytes of the file if the current model were written with these steps."""
        weights, groups = self._quantised(steps)
        return self._size_of(coarse.levels(weights), groups, steps)

    def write(self, validator: HeldOutValidator, watcher: Watcher) -> EncodeResult:
        """Quantise, measure what a decoder will show, write the file and remove the checkpoint."""
        grid_bytes = self._grid_bytes_within_target()
        self._meet_target(grid_bytes, NEAR_ERROR)
        coarse = self._train_layers(grid_bytes, watcher)
        self._meet_target(grid_bytes, NEAR_ERROR if coarse.factors else STOP_ERROR, coarse)
        steps = self.trainer.rate.quantisation
        weights, groups = self._quantised(steps)
        quality: dict[str, float | int | str] = {"steps": self.trainer.progress.step}
        layers = coarse.levels(weights)
        for number, layer in enumerate(layers, start=1):  # the model keeps the last, complete one
            load_weights(self.trainer.model, {name: tensor.dequantise() for name, tensor in layer.items()})
            every = 1 if number == len(layers) else _PARTIAL_LAYER_STRIDE
            score = self._measure(dequantised_latents(groups), validator, watcher, every)
            if score is not None:
                quality[f"held_out_psnr_layers_{number}"] = round(score, 4)
        if score is not None:
            quality["held_out_psnr"] = round(score, 4)
        progress = self.trainer.progress
        grids = [] if grid_bytes is None else self._grids(dequantised_latents(groups), len(layers), watcher)
        header = self._header(steps, quality)
        chunks = self._with_sound(order_chunks(key_chunks(0, layers_between(layers)), groups, grids))
        differences = self._differences(layers)
        if self.job.segment.predecessor is not None:
            chunks += as_difference_chunks(differences, self.job.segment.predecessor)
        size = write_clip(self.job.output, header, chunks)
        if differences:  # its size within the whole clip
            size = len(clip_bytes(header, self._with_sound(order_chunks(differences, groups, grids))))
        checkpoint_path(self.job).unlink(missing_ok=True)
        return EncodeResult(
            self.job.output, size, score, progress.step, progress.seconds, work_folder(self.job)
        )

    def _quantised(
        self, steps: Quantisation, model: Model | None = None
    ) -> tuple[list[QuantisedTensor], list[tuple[int, QuantisedTensor]]]:
        latents = self.trainer.latents[self._written_frames]
        return quantise_clip(model or self.trainer.model, latents, steps, self.store.fps)

    def _size_of(
        self,
        levels: Sequence[Mapping[str, QuantisedTensor]],
        groups: Sequence[tuple[int, QuantisedTensor]],
        steps: Quantisation,
    ) -> int:
        """The size in bytes of a file of these tensors after each layer, without grids."""
        layers = self._differences(levels) or key_chunks(0, layers_between(levels))
        return len(clip_bytes(self._header(steps, {}), self._with_sound(order_chunks(layers, groups))))

    def _train_layers(self, grid_bytes: int | None, watcher: Watcher) -> CoarseLayers:
        """The coarser layers, trained for the steps of the training."""
        steps = self.trainer.rate.quantisation
        groups = self._quantised(steps)[1]

        def quantise(model: Model, steps: Quantisation) -> list[QuantisedTensor]:
            return self._quantised(steps, model)[0]

        def file_bytes(levels: Sequence[Mapping[str, QuantisedTensor]]) -> int:
            return self._size_of(levels, groups, steps) + (grid_bytes or 0)

        return train_layers(self.trainer, quantise, file_bytes, watcher.progress)

    def _with_sound(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The chunks and the sound of the frames that are written."""
        return with_sound(chunks, self.job.segment.sound, self.store.fps)

    def _differences(self, levels: Sequence[Mapping[str, QuantisedTensor]]) -> list[Chunk]:
        """The layers of the weights as differences to the predecessor's; empty without one."""
        predecessor = self.job.segment.predecessor
        return [] if predecessor is None else difference_chunks(levels, predecessor)

    def _measure(
        self,
        latents: Float[Tensor, "frame latent"],
        validator: HeldOutValidator,
        watcher: Watcher,
        every: int,
    ) -> float | None:
        """The held-out PSNR (dB) of the model's current weights, over every ``every``-th frame."""
        return validator.mean_psnr(
            self.trainer.model,
            latents,
            lambda done, total: watcher.progress("measuring the held-out view", done, total),
            first=self._written_frames.start,
            every=every,
        )

    def _grid_bytes_within_target(self) -> int | None:
        """The size of grids, estimated from the middle frame; None where they would take much of a target."""
        target = self.job.config.rate.target
        if target == 0:
            return 0
        steps, latents = self.trainer.rate.quantisation, self.trainer.latents[self._written_frames]
        grids = self._grids(latents[len(latents) // 2 :][:1], 1, NullWatcher())
        header, chunks = small = self._header(steps, {}), make_chunks(*self._quantised(steps))
        size = len(clip_bytes(header, [*chunks, *grids])) - len(clip_bytes(*small))
        return size if size <= _MAX_GRID_SHARE * target else None

    def _meet_target(self, grid_bytes: int | None, error: float, coarse: CoarseLayers = NOT_TRAINED) -> None:
        """Rescale the steps to a target size, if there is one and the size differs by more than ``error``.

        Values lie at multiples of the trained steps and trained layers suit them, so within the tolerance
        these are kept.
        """
        rate, target = self.trainer.rate, self.job.config.rate.target
        if target > 0:
            extra = grid_bytes or 0
            rate.rescale(
                meet_target(
                    lambda steps: self.size_at(steps, coarse) + extra, rate.quantisation, target, error
                )
            )

    def _grids(self, latents: Float[Tensor, "frame latent"], layers: int, watcher: Watcher) -> list[Chunk]:
        """The chunk of the model's empty cells in these frames; none if all are occupied or the grid size is
        0.
        """
        size = self.job.config.quantisation.grid
        if size == 0:
            return []
        occupancy = find_occupancy(
            self.trainer.model,
            latents,
            layers,
            size,
            lambda done, total: watcher.progress("finding empty space", done, total),
        )
        return [] if occupancy is None else [occupancy_chunk(0, occupancy)]

    def _header(self, steps: Quantisation, quality: dict[str, float | int | str]) -> Header:
        """The header, with the steps that were used instead of the configured ones."""
        job = self.job
        return make_header(
            replace(job.config, quantisation=steps),
            cameras=self.store.cameras,
            held_out=self.held_out,
            space=self.space,
            fps=self.store.fps,
            frames=self._written_frames.stop - self._written_frames.start,
            first_source_frame=self.store.first_source_frame + self._written_frames.start,
            job={
                "downscale": job.downscale,
                "seed": job.seed,
                "device": torch.device(job.device).type,
                **job.segment.record,
            },
            quality=quality,
        )
