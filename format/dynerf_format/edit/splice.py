"""Cut and join clips without decoding pictures: chunks are copied as they are stored.

The checksum of each chunk is compared when it is copied; its contents are decoded only where they change.

A part keeps the complete weights of every segment it overlaps and exactly the latents of its frames. Only a
group of latents that the cut divides is packed again, with the same symbols and steps, so that every
remaining frame decodes to the same numbers as before.

Weights that continue those of a removed segment are the other exception: they are packed again with the same
symbols and steps, as a key segment, and the segments after them build on fewer. A clip that also stores its
weights as the difference to the preceding clip (chunks ``base`` and ``diff``) is joined to that clip with
these.

Sound goes with its group of latents: at a cut, the packets that the remaining frames need
(``sound_copy.py``).

A chunk goes with the segment that its directory entry names, whatever its kind and layer, unknown ancillary
kinds included. Ancillary chunks that name no segment of the clip, and header keys of newer minor versions,
are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynerf_format.container.chunk_lookup import is_sound, weights_entries, weights_entry
from dynerf_format.container.chunks import BASE, DIFFERENCES, LATENTS, SOUND, WEIGHTS
from dynerf_format.container.compression import CODECS
from dynerf_format.container.quality_layers import QualityLayer, key_chunks
from dynerf_format.container.reader import Reader
from dynerf_format.container.records import Header, Scalar, SegmentRecord
from dynerf_format.container.writer import ChunkRef, compress_chunk, write_chunks
from dynerf_format.errors import FormatError, ViewError
from dynerf_format.limits import DEFAULT_LIMITS
from dynerf_format.tensors.tensor_payload import unpack_records

from .chunk_copy import PathSource, copy_chunk, slice_latents
from .sound_copy import move_sound

if TYPE_CHECKING:
    from dynerf_format.container.directory import Entry
    from dynerf_format.container.source import Source
    from dynerf_format.tensors.quantise import QuantisedTensor

_MAY_DIFFER = ("generator", "frames", "first_source_frame", "segments", "config", "quality")
"""Header keys that may differ between clips that are joined."""


def cut_clip(clip: Path | Source, first: int, stop: int, output: Path) -> int:
    """Write frames ``first`` to ``stop - 1`` of a clip as a clip of its own; return its length in bytes.

    ``quality`` is left out, because it was measured on all frames. ViewError when the clip does not have
    these frames, FormatError for a damaged clip, OutputError.
    """
    source = PathSource(clip) if isinstance(clip, Path) else clip
    reader = Reader(source)
    if not 0 <= first < stop <= reader.header.frames:
        raise ViewError(
            f"{source.name}: frames {first}:{stop} requested, the clip has 0:{reader.header.frames}"
        )
    segments = _cut_segments(reader.header.segments, first, stop)
    header = replace(
        reader.header,
        frames=stop - first,
        first_source_frame=reader.header.first_source_frame + first,
        segments=tuple(segment for _, segment in segments),
        quality={},
    )
    renumbered = {old: new for new, (old, _) in enumerate(segments)}
    return write_chunks(output, header, list(_cut_chunks(reader, renumbered, first, stop)), Reader.check)


def join_clips(clips: Sequence[Path], output: Path, quality: Mapping[str, Scalar] | None = None) -> int:
    """Write consecutive clips of one capture as one clip; return its length in bytes.

    ``quality`` is that of the result; by default the mean over all frames of each held-out PSNR that all
    clips state. FormatError, naming clip and difference, for clips of different captures, fields, spaces or
    cameras, for missing or overlapping frames between them, and for damaged clips; OutputError.
    """
    if not clips:
        raise FormatError("no clips to join")
    readers = [Reader(PathSource(clip)) for clip in clips]
    first = readers[0].header
    chunks: list[ChunkRef] = []
    segments: list[SegmentRecord] = []
    frames = depth = 0
    before: Reader | None = None
    for clip, reader in zip(clips, readers, strict=True):
        _check_same_capture(clips[0], first, clip, reader.header)
        _check_follows(clip, first.first_source_frame + frames, reader.header)
        continues = before is not None and depth < DEFAULT_LIMITS.chain and _continues(reader, before)
        depth = depth + 1 if continues else 0
        chunks += _shifted(reader, len(segments), frames, depth)
        depth += weights_entry(reader.directory, len(reader.header.segments) - 1).first
        before = reader
        segments += [replace(s, first_frame=s.first_frame + frames) for s in reader.header.segments]
        frames += reader.header.frames
    headers = [reader.header for reader in readers]
    joined = replace(
        first,
        frames=frames,
        segments=tuple(segments),
        config=_joined_config(headers),
        quality=_mean_quality(headers) if quality is None else dict(quality),
    )
    return write_chunks(output, joined, chunks, Reader.check)


def _cut_segments(
    segments: Sequence[SegmentRecord], first: int, stop: int
) -> list[tuple[int, SegmentRecord]]:
    """Old number and new record of every segment that has any of the frames."""
    kept = []
    for number, segment in enumerate(segments):
        start = max(segment.first_frame, first)
        end = min(segment.first_frame + segment.frames, stop)
        if start < end:
            kept.append((number, SegmentRecord(start - first, end - start)))
    return kept


def _cut_chunks(reader: Reader, renumbered: Mapping[int, int], first: int, stop: int) -> Iterator[ChunkRef]:
    key = min(renumbered)
    as_key = _as_key(reader, key) if weights_entry(reader.directory, key).first else None
    for entry in reader.directory:
        if entry.segment not in renumbered:
            continue
        segment = renumbered[entry.segment]
        if entry.kind == WEIGHTS:
            if as_key is None or segment > 0:
                yield copy_chunk(reader, entry, segment=segment, first=min(entry.first, segment))
            elif entry.layer in as_key:  # a layer in an unknown codec cannot be packed again
                yield as_key[entry.layer]
            continue
        if entry.kind not in (LATENTS, SOUND):
            yield copy_chunk(reader, entry, segment=segment)
            continue
        start, end = max(entry.first, first), min(entry.first + entry.count, stop)
        if start >= end:
            continue
        if entry.kind == SOUND:
            yield from _moved_sound(reader, entry, segment, range(start, end), first)
        elif end - start == entry.count:
            yield copy_chunk(reader, entry, segment=segment, first=entry.first - first)
        else:
            yield slice_latents(reader, entry, segment, range(start, end), first)


def _moved_sound(reader: Reader, entry: Entry, segment: int, frames: range, shift: int) -> Iterator[ChunkRef]:
    """The sound of ``frames`` as :func:`move_sound`, if any; reserved layers and codecs are dropped."""
    moved = move_sound(reader, entry, segment, frames, shift) if is_sound(entry) else None
    if moved is not None:
        yield moved


def _as_key(reader: Reader, segment: int) -> dict[int, ChunkRef]:
    """The weights of a segment that builds on others, by layer, as segment 0 that builds on none."""
    entries = weights_entries(reader.directory, segment)
    previous = reader.layered_weights(segment - 1, len(entries))
    layers: list[QualityLayer] = []
    found: dict[str, QuantisedTensor] = {}
    for entry, previous_layer in zip(entries, previous, strict=True):
        coarser = found if entry.layer else None
        records = unpack_records(reader.read_chunk(entry), DEFAULT_LIMITS, coarser, previous_layer)
        factors = {tensor.name: factor for tensor, factor in records}
        below = None if coarser is None else {n: (t, factors.get(n, 0)) for n, t in found.items()}
        layers.append(QualityLayer([tensor for tensor, _ in records], below))
        found = {**found, **{tensor.name: tensor for tensor, _ in records}}
    return {chunk.layer: compress_chunk(chunk) for chunk in key_chunks(0, layers)}


def _continues(reader: Reader, before: Reader) -> bool:
    """Whether a clip stores the weights of its only segment as the difference to the preceding clip too."""
    if len(reader.header.segments) > 1 or reader.ancillary(BASE, 0) != before.digest():
        return False
    usable = {e.layer for e in reader.directory if e.kind == DIFFERENCES and e.codec in CODECS}
    return usable == {e.layer for e in reader.directory if e.kind == WEIGHTS}


def _shifted(reader: Reader, segments: int, frames: int, depth: int) -> Iterator[ChunkRef]:
    """All chunks of a clip that follows ``segments`` segments and ``frames`` frames of other clips.

    With a ``depth`` above 0, its ``diff`` chunks replace its weights.
    """
    differences = {entry.layer: entry for entry in reader.directory if entry.kind == DIFFERENCES}
    for entry in reader.directory:
        if entry.segment >= len(reader.header.segments) or entry.kind in (BASE, DIFFERENCES):
            continue
        if entry.kind == WEIGHTS and depth:
            yield copy_chunk(reader, differences[entry.layer], kind=WEIGHTS, segment=segments, first=depth)
            continue
        if entry.kind == SOUND:
            covered = range(entry.first, entry.first + entry.count)
            yield from _moved_sound(reader, entry, entry.segment + segments, covered, -frames)
            continue
        shift = frames if entry.kind == LATENTS else 0
        yield copy_chunk(reader, entry, segment=entry.segment + segments, first=entry.first + shift)


def _check_same_capture(one: Path, expected: Header, other: Path, found: Header) -> None:
    """FormatError naming the first key that differs and of which a file can have only one value."""
    here, there = dict(_flatten(asdict(found))), dict(_flatten(asdict(expected)))
    for key in sorted(here.keys() | there.keys()):
        if key.split(".")[0].split("[")[0] in _MAY_DIFFER:
            continue
        if here.get(key) != there.get(key):
            raise FormatError(
                f"{other}: cannot be joined to {one}: {key} is {_format_value(here, key)} here and "
                f"{_format_value(there, key)} there; expected clips of one capture and one kind of field"
            )


def _check_follows(clip: Path, expected: int, header: Header) -> None:
    if header.first_source_frame != expected:
        raise FormatError(
            f"{clip}: starts with frame {header.first_source_frame} of the recording, expected {expected}, "
            "where the preceding clip ends"
        )


def _flatten(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """All leaves of nested maps and sequences with their paths, and the lengths of sequences."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        yield f"{path}.length", len(value)
        for index, item in enumerate(value):
            yield from _flatten(item, f"{path}[{index}]")
    else:
        yield path, value


def _format_value(values: Mapping[str, object], key: str) -> str:
    return repr(values[key])[:80] if key in values else "absent"


def _joined_config(headers: Sequence[Header]) -> dict[str, Any]:
    """The configuration that all clips share; otherwise all different ones, in order, under ``joined``."""
    configs: list[dict[str, Any]] = []
    for header in headers:
        parts = header.config["joined"] if list(header.config) == ["joined"] else [header.config]
        configs += [config for config in parts if config not in configs]
    return configs[0] if len(configs) == 1 else {"joined": configs}


def _mean_quality(headers: Sequence[Header]) -> dict[str, Scalar]:
    """The mean over all frames of each PSNR that all clips state."""
    total = sum(header.frames for header in headers)
    means: dict[str, Scalar] = {}
    for name in headers[0].quality:
        scores = [header.quality.get(name) for header in headers]
        numbers = [score for score in scores if isinstance(score, (int, float))]
        if name.startswith("held_out_psnr") and len(numbers) == len(headers):
            weighted = sum(score * header.frames for score, header in zip(numbers, headers, strict=True))
            means[name] = round(weighted / total, 4)
    return means
