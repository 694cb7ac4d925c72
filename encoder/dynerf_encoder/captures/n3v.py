"""Reads captures in the Plenoptic Video (N3V) layout: ``camNN.mp4`` per camera and one ``poses_bounds.npy``.

Camera numbers may have gaps (the authors removed bad cameras): row i of the pose file belongs to the i-th
existing video in sorted order. By convention ``cam00`` is the held-out view, but it is not treated specially
here. Only the first frame of each video is decoded.
"""

from collections.abc import Sequence
from pathlib import Path

from dynerf_format.frame_range import FrameRange

from .capture import Capture, CaptureView
from .folder import POSES, find_videos
from .pairing import check_same, listed, pair
from .poses import read_poses
from .video import VideoFacts, probe


def read_n3v(folder: Path, frames: FrameRange | None = None) -> Capture:
    """Read a capture folder and check that videos and poses are consistent.

    ``frames`` is the range that will be used; it must exist in every video. Videos that start together may
    differ in length only when the range has an end (``Capture.frames`` is then the shortest length). Videos
    that start at different times are paired by time (``pairing``). Raises CaptureError.
    """
    videos = find_videos(folder)
    names = tuple(video.stem for video in videos)
    poses = read_poses(folder / POSES, names)
    facts = [probe(video) for video in videos]
    check_same(folder, names, "picture size", [f"{fact.width}x{fact.height}" for fact in facts])
    pairing = pair(folder, names, facts, frames)
    (frames or FrameRange()).within(pairing.frames, str(folder))
    views = tuple(
        CaptureView(pose.name, video, pose.camera(fact.width, fact.height), pose.near, pose.far, first)
        for video, pose, fact, first in zip(videos, poses, facts, pairing.firsts, strict=True)
    )
    notes = (*([pairing.note] if pairing.note else []), *_colour_notes(names, facts))
    colour = tuple(fact.colour for fact in facts)
    return Capture(folder, views, pairing.fps, pairing.frames, colour, notes)


def _colour_notes(names: Sequence[str], facts: Sequence[VideoFacts]) -> list[str]:
    """One line each for alpha channels and for wide primaries, which are not kept."""
    colours = [(name, fact.colour) for name, fact in zip(names, facts, strict=True)]
    notes = []
    transparent = [name for name, colour in colours if colour.alpha]
    if transparent:
        notes.append(f"the alpha channel of {listed(transparent)} is ignored")
    for wide in sorted({colour.wide for _, colour in colours if colour.wide}):
        cameras = [name for name, colour in colours if colour.wide == wide]
        notes.append(f"{listed(cameras)}: {wide} primaries are read as BT.709, so colours are muted")
    return notes
