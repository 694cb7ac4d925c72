"""Start a training where another one ended: a segment of a long clip from the segment before it.

The scene of the next seconds is mostly that of the seconds before. Weights come from the written clip and not
from the checkpoint, so that they are the same wherever and whenever the next segment is trained.
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
    """Take over the weights of a clip's last segment and, for frames it has, its latents.

    The frames after it take its latents in reverse: they are ones that the weights know, next to each other,
    and begin where the clip ends. Numbers of the latents that the clip does not use start as in any training
    and change nothing yet: the weights that meet them are zero. ``first_source_frame`` is the frame of the
    recording that the training begins with. Raises FormatError when the clip cannot be read or is of another
    field.
    """
    with FileSource(clip) as source:
        reader = Reader(source)
        last = reader.header.segments[-1]
        weights = reader.weights(len(reader.header.segments) - 1)
        known = reader.latents(last.first_frame, last.frames)
    begin = reader.header.first_source_frame + last.first_frame
    try:
        load_weights(trainer.model, {name: tensor.dequantise() for name, tensor in weights.items()})
    except FormatError as error:
        raise FormatError(f"{clip}: cannot be started from: {error}") from error
    if trainer.latents.requires_grad:
        place = first_source_frame - begin + np.arange(len(trainer.latents))
        mirrored = np.where(place < last.frames, place, 2 * last.frames - 1 - place)
        used = torch.as_tensor(known.any(axis=0) | (not trainer.model.latent_columns()))
        taken = torch.as_tensor(known[mirrored.clip(0, last.frames - 1)])
        with torch.no_grad():
            trainer.latents[:, used] = taken[:, used].to(trainer.latents.device)


def fingerprint(clip: Path) -> str:
    """SHA-256 of a clip, as its own trailer has it. Raises ResumeError when there is no such file."""
    try:
        with clip.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ResumeError(f"{clip}: cannot be read: {error.strerror}; it is needed to start from") from error
