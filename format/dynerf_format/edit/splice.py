"""Cut a clip and join clips without decoding a picture: chunks move as they are stored.

The checksum of each chunk is compared as it moves; its contents are decoded only where they change.

A part keeps the whole weights of every segment it touches and exactly the latents of its frames. Only a group
of latents that the cut goes through is packed anew, with the same symbols and steps, so that every frame that
stays decodes to the same numbers as before.

Weights that continue those of a segment that is cut away are the other exception: they are packed anew with
the same symbols and steps, building on nothing, and the segments after them build on fewer. A clip that
brings its weights as what differs from the clip before it (chunks ``base`` and ``diff``) is joined to it with
these.

A chunk goes with the segment its directory entry names, whatever its kind and layer, unknown ancillary kinds
included. An ancillary chunk that names no segment of the clip is left behind. What a newer minor version put
into the header and this one does not know is left behind, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynerf_format.container.chunk_lookup import weights_entries, weights_entry
from dynerf_format.container.chunks import BASE, DIFFERENCES, LATENTS, WEIGHTS
from dynerf_format.container.compression import CODECS
from dynerf_format.container.quality_layers import QualityLayer, key_chunks
from dynerf_format.container.reader import Reader
from dynerf_format.container.records import Header, Scalar, SegmentRecord
from dynerf_format.container.writer import ChunkRef, compressed, write_chunks
from dynerf_format.errors import FormatError, ViewError
from dynerf_format.limits import DEFAULT_LIMITS
from dynerf_format.tensors.payload import unpack_records

from .chunk_copy import PathSource, copied, sliced

if TYPE_CHECKING:
    from dynerf_format.container.source import Source
    from dynerf_format.tensors.quantise import QuantisedTensor

_OWN = ("generator", "frames", "first_source_frame", "segments", "config", "quality")
"""What of a header may differ between clips that are joined."""


def cut_clip(clip: Path | Source, first: int, stop: int, output: Path) -> int:
    """Write frames ``first`` to ``stop - 1`` of a clip as a clip of its own; return its length in bytes.

    ``quality`` is left out, because it was measured on all frames. ViewError when the clip does not have
    these frames, FormatError for a damaged clip, OutputError.
    """
    source = PathSource(clip) if isinstance(clip, Path) else clip
    reader = Reader(source)
    if not 0 <= first < stop <= reader.header.frames:
        raise ViewError(
            f"{source.name}: frames {first}:{stop} asked for, the clip has 0:{reader.header.frames}"
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
    """Write clips of one capture, each going on where the one before ends, as one; return its length.

    ``quality`` is the result's; by default the mean over all frames of each held-out PSNR that all state.
    FormatError, naming clip and difference, for clips of different captures, fields, spaces or cameras, for
    frames missing or doubled between them, and for damaged clips; OutputError.
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
    """Old number and new record of every segment that has some of the frames."""
    kept = []
    for number, segment in enumerate(segments):
        start = max(segment.first_frame, first)
        end = min(segment.first_frame + segment.frames, stop)
        if start < end:
            kept.append((number, SegmentRecord(start - first, end - start)))
    return kept


def _cut_chunks(reader: Reader, renumbered: Mapping[int, int], first: int, stop: int) -> Iterator[ChunkRef]:
    key = min(renumbered)
    anew = _as_key(reader, key) if weights_entry(reader.directory, key).first else None
    for entry in reader.directory:
        if entry.segment not in renumbered:
            continue
        segment = renumbered[entry.segment]
        if entry.kind == WEIGHTS:
            if anew is None or segment > 0:
                yield copied(reader, entry, segment=segment, first=min(entry.first, segment))
            elif entry.layer in anew:  # or in a codec that cannot be packed anew
                yield anew[entry.layer]
            continue
        if entry.kind != LATENTS:
            yield copied(reader, entry, segment=segment)
            continue
        start, end = max(entry.first, first), min(entry.first + entry.count, stop)
        if start >= end:
            continue
        if end - start == entry.count:
            yield copied(reader, entry, segment=segment, first=entry.first - first)
        else:
            yield sliced(reader, entry, segment, range(start, end), first)


def _as_key(reader: Reader, segment: int) -> dict[int, ChunkRef]:
    """The weights of a segment that builds on others, layer by layer, as segment 0 that builds on none."""
    entries = weights_entries(reader.directory, segment)
    before = reader.layered_weights(segment - 1, len(entries))
    layers: list[QualityLayer] = []
    found: dict[str, QuantisedTensor] = {}
    for entry, known in zip(entries, before, strict=True):
        coarser = found if entry.layer else None
        records = unpack_records(reader.read_chunk(entry), DEFAULT_LIMITS, coarser, known)
        factors = {tensor.name: factor for tensor, factor in records}
        below = None if coarser is None else {n: (t, factors.get(n, 0)) for n, t in found.items()}
        layers.append(QualityLayer([tensor for tensor, _ in records], below))
        found = {**found, **{tensor.name: tensor for tensor, _ in records}}
    return {chunk.layer: compressed(chunk) for chunk in key_chunks(0, layers)}


def _continues(reader: Reader, before: Reader) -> bool:
    """Whether a clip brings the weights of its one segment as what differs from the clip before it."""
    if len(reader.header.segments) > 1 or reader.ancillary(BASE, 0) != before.digest():
        return False
    known = {e.layer for e in reader.directory if e.kind == DIFFERENCES and e.codec in CODECS}
    return known == {e.layer for e in reader.directory if e.kind == WEIGHTS}


def _shifted(reader: Reader, segments: int, frames: int, depth: int) -> Iterator[ChunkRef]:
    """All chunks of a clip that comes after ``segments`` segments and ``frames`` frames of others.

    With a ``depth`` above 0 its weights are taken as what differs from the clip before it.
    """
    differences = {entry.layer: entry for entry in reader.directory if entry.kind == DIFFERENCES}
    for entry in reader.directory:
        if entry.segment >= len(reader.header.segments) or entry.kind in (BASE, DIFFERENCES):
            continue
        if entry.kind == WEIGHTS and depth:
            yield copied(reader, differences[entry.layer], kind=WEIGHTS, segment=segments, first=depth)
            continue
        shift = frames if entry.kind == LATENTS else 0
        yield copied(reader, entry, segment=entry.segment + segments, first=entry.first + shift)


def _check_same_capture(one: Path, expected: Header, other: Path, found: Header) -> None:
    """FormatError naming the first thing that differs of what a file can have only one of."""
    here, there = dict(_flat(asdict(found))), dict(_flat(asdict(expected)))
    for key in sorted(here.keys() | there.keys()):
        if key.split(".")[0].split("[")[0] in _OWN:
            continue
        if here.get(key) != there.get(key):
            raise FormatError(
                f"{other}: cannot be joined to {one}: {key} is {_shown(here, key)} here and "
                f"{_shown(there, key)} there; expected clips of one capture and one kind of field"
            )


def _check_follows(clip: Path, expected: int, header: Header) -> None:
    if header.first_source_frame != expected:
        raise FormatError(
            f"{clip}: starts with frame {header.first_source_frame} of the recording, expected {expected}, "
            "where the clip before it ends"
        )


def _flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """All leaves of nested maps and sequences with their paths, empty ones included."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        yield f"{path}.length", len(value)
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}[{index}]")
    else:
        yield path, value


def _shown(values: Mapping[str, object], key: str) -> str:
    return repr(values[key])[:80] if key in values else "absent"


def _joined_config(headers: Sequence[Header]) -> dict[str, Any]:
    """The configuration all clips share; all different ones, in order, under ``joined`` otherwise."""
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
