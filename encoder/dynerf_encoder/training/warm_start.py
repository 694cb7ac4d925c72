"""Start a training from the end of another one: a segment of a long clip from the previous segment.

Most of the scene does not change from one segment to the next. Weights are read from the written clip, not
from the checkpoint, so they do not depend on where and when the next segment is trained.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch

from dynerf_decoder.fields.build import load_weights
from dynerf_format import FileSource, Reader
from dynerf_format.errors import FormatError, ResumeError

from .trainer import Trainer


def start_from(clip: Path, trainer: Trainer, first_source_frame: int) -> None:
    """Copy the weights of a clip's last segment and, for frames it contains, its latents.

    The frames after it get its latents in reverse order: these fit the weights, and the first of them is that
    of the clip's last frame. Components of the latents that the clip does not use are initialised as in any
    training; they have no effect at first, because the weights they are multiplied by are zero.
    ``first_source_frame`` is the first frame of the training in the recording. Raises FormatError if the clip
    cannot be read or has another field.
    """
    with FileSource(clip) as source:
        reader = Reader(source)
        last = reader.header.segments[-1]
        weights = reader.weights(len(reader.header.segments) - 1)
        stored = reader.latents(last.first_frame, last.frames)
    first_frame = reader.header.first_source_frame + last.first_frame
    try:
        load_weights(trainer.model, {name: tensor.dequantise() for name, tensor in weights.items()})
    except FormatError as error:
        raise FormatError(f"{clip}: cannot be started from: {error}") from error
    if trainer.latents.requires_grad:
        index = first_source_frame - first_frame + np.arange(len(trainer.latents))
        mirrored = np.where(index < last.frames, index, 2 * last.frames - 1 - index)
        used = torch.as_tensor(stored.any(axis=0) | (not trainer.model.latent_columns()))
        initial = torch.as_tensor(stored[mirrored.clip(0, last.frames - 1)])
        with torch.no_grad():
            trainer.latents[:, used] = initial[:, used].to(trainer.latents.device)


def fingerprint(clip: Path) -> str:
    """SHA-256 of a clip's file. Raises ResumeError if there is no such file."""
    try:
        with clip.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ResumeError(f"{clip}: cannot be read: {error.strerror}; it is needed to start from") from error
