"""Opens a recording: probes its sources, pairs their frames, and chooses what the layout does not state.

Out comes a ``Capture``. Of each source only the first picture is decoded.
"""

from collections.abc import Sequence
from fractions import Fraction

from dynerf_decoder.cameras.camera import Camera
from dynerf_format.errors import CaptureError
from dynerf_format.frame_range import FrameRange

from .capture import Capture, CaptureView
from .depths import Depths, depths_of_points, depths_of_rig
from .lens import Lens
from .lens_fit import fit_lens
from .pairing import Pairing, listed, pair, pair_by_offsets
from .picture_source import PictureSequence, PictureSource, open_source
from .pinhole_frames import WIDEST, is_cut, pinhole_cameras
from .point_file import read_points
from .reading import READ_AS_FOUND, Reading
from .recording import Recording, first_frames
from .video import VideoFacts


def open_capture(
    recording: Recording, frames: FrameRange | None = None, reading: Reading = READ_AS_FOUND
) -> Capture:
    """Read a recording's sources and check that they are consistent.

    ``frames`` is the range that will be used; it must exist in every source. Sources that start together may
    differ in length only when the range has an end (``Capture.frames`` is then the shortest length). Sources
    that start at different times are paired by time, or by the recording's offsets. Raises CaptureError.
    """
    names = recording.names
    sources = [
        PictureSequence(camera.source, camera.files) if camera.files else open_source(camera.source)
        for camera in recording.cameras
    ]
    rate = reading.fps or recording.fps
    facts = [source.probe(rate) for source in sources]
    fitted = [
        fit_lens(camera.lens, fact.width, fact.height, camera.name)
        for camera, fact in zip(recording.cameras, facts, strict=True)
    ]
    lenses = [lens for lens, _ in fitted]
    pairing = _pairing(recording, facts, frames)
    (frames or FrameRange()).within(pairing.frames, str(recording.root))
    cameras = pinhole_cameras(names, lenses, [camera.camera_to_world for camera in recording.cameras])
    depths, depth_note = _depths(recording, cameras, reading.depths)
    views = tuple(
        CaptureView(name, source, lens, camera, near, far, first, lag)
        for name, source, lens, camera, (near, far), first, lag in zip(
            names, sources, lenses, cameras, depths, pairing.firsts, _lags(recording), strict=True
        )
    )
    notes = (
        *recording.notes,
        *_changed_notes(recording, sources),
        *_rate_notes(sources, rate),
        *([pairing.note] if pairing.note else []),
        *_fit_notes(names, [note for _, note in fitted]),
        *_lens_notes(names, lenses, cameras),
        *([depth_note] if depth_note else []),
        *_colour_notes(names, facts),
    )
    return Capture(
        recording.root, views, pairing.fps, pairing.frames, tuple(fact.colour for fact in facts), notes
    )


def _pairing(recording: Recording, facts: Sequence[VideoFacts], frames: FrameRange | None) -> Pairing:
    if not recording.timed_by_offsets:
        return pair(recording.root, recording.names, facts, frames)
    unknown = [camera.name for camera in recording.cameras if camera.offset is None]
    pairing = pair_by_offsets(recording.root, recording.names, facts, frames, first_frames(recording.cameras))
    if not unknown:
        return pairing
    note = f"{listed(unknown)}: offsets are unknown, taken as 0"
    return Pairing(
        pairing.firsts, pairing.frames, pairing.fps, f"{note}; {pairing.note}" if pairing.note else note
    )


def _lags(recording: Recording) -> list[Fraction]:
    """What offsets have beyond the whole frames by which sources are paired, in frames."""
    offsets = [camera.offset or Fraction(0) for camera in recording.cameras]
    return [offset - round(offset) if recording.timed_by_offsets else Fraction(0) for offset in offsets]


def _depths(
    recording: Recording, cameras: Sequence[Camera], stated: Depths | None
) -> tuple[tuple[Depths, ...], str | None]:
    """Near and far of each camera, and where they are from unless the layout states them."""
    if stated is not None:
        near, far = stated
        if not 0 < near < far:
            raise CaptureError(f"{recording.root}: depths {near:g} to {far:g}, expected 0 < near < far")
        return (stated,) * len(cameras), None
    known = [
        (camera.near, camera.far)
        for camera in recording.cameras
        if camera.near is not None and camera.far is not None
    ]
    if len(known) == len(cameras):
        return tuple(known), None
    if recording.points is not None:
        points = read_points(recording.points).positions
        found = depths_of_points(cameras, points)
        if found is not None:
            return found, f"depths are those of {len(points)} points: {_range(found)}"
    found = depths_of_rig(cameras)
    return found, (
        f"no depths stated: taken as {_range(found)}, from the distance to where the cameras look; --depths "
        "NEAR:FAR states others"
    )


def _range(depths: Sequence[Depths]) -> str:
    return f"{min(near for near, _ in depths):.3g} to {max(far for _, far in depths):.3g}"


def _changed_notes(recording: Recording, sources: Sequence[PictureSource]) -> list[str]:
    """One line for the sources that have another length than when their poses were estimated."""
    changed = [
        camera.name
        for camera, source in zip(recording.cameras, sources, strict=True)
        if camera.state.bytes is not None and camera.state.bytes != source.size()
    ]
    return [f"{listed(changed)}: changed since the poses were estimated"] if changed else []


def _rate_notes(sources: Sequence[PictureSource], rate: Fraction | None) -> list[str]:
    if rate is not None or not any(isinstance(source, PictureSequence) for source in sources):
        return []
    return ["pictures have no frame rate: taken as 30 per second; --fps states another"]


def _fit_notes(names: Sequence[str], notes: Sequence[str | None]) -> list[str]:
    """One line for all cameras whose pictures were fitted to their calibration in the same way."""
    found = []
    for note in dict.fromkeys(note for note in notes if note):
        cameras = [name for name, other in zip(names, notes, strict=True) if other == note]
        found.append(f"{listed(cameras)}: {note}")
    return found


def _lens_notes(names: Sequence[str], lenses: Sequence[Lens], cameras: Sequence[Camera]) -> list[str]:
    notes = []
    width, height = cameras[0].width, cameras[0].height
    distorted = [name for name, lens in zip(names, lenses, strict=True) if not lens.undistorted]
    if distorted:
        models = sorted({lens.model for lens in lenses if not lens.undistorted})
        notes.append(f"{listed(distorted)}: undistorted ({', '.join(models)}) to {width}x{height}")
    sizes = {(lens.width, lens.height) for lens in lenses}
    if len(sizes) > 1:
        found = ", ".join(f"{across}x{down}" for across, down in sorted(sizes))
        notes.append(f"pictures of {found} are placed into frames of {width}x{height}")
    cut = [name for name, lens in zip(names, lenses, strict=True) if is_cut(lens)]
    if cut:
        notes.append(f"{listed(cut)}: what is seen beyond {WIDEST:g} degrees from the axis is not used")
    return notes


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
