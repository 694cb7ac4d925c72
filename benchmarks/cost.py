"""Measures how cost grows: decoding over pixels and over clip length, the encoder's memory over length.

    python benchmarks/cost.py clip.dnv samples/candle --out docs/results [options of dynerf encode]
    python benchmarks/cost.py clip.dnv samples/candle --out docs/results --what memory

Writes ``cost_pixels.svg``, ``cost_length.svg`` and ``cost_memory.svg`` into the folder and prints their
values as Markdown tables. Run it on an idle machine; only memory is unaffected by other load.

- **Pixels**: the fast renderer, first camera of the clip, at six sizes of one aspect ratio in turn.
- **Length**: clips of 1, 5 and 10 times the frames, made of the input in two ways: *one model* has the
  weights once and repeats the latents, *joined* is ``dynerf join`` of consecutive copies, a model per copy.
  Seconds per frame while playing, and from opening the file to a frame in its middle.
- **Memory**: ``dynerf encode`` of one segment of 1, 3 and 10 times the capture's frames, its videos repeated
  packet by packet. The peak of anonymous memory (the encoder's own) and the peak of mapped files (page
  cache, which the kernel reclaims when needed), read from /proc 50 times a second.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import torch

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from dynerf_format import Chunk, FileSource, Reader, SegmentRecord, join_clips, write_clip
from plot import Axis, Series, plot

_SIZES = ((128, 96), (256, 192), (384, 288), (512, 384), (768, 576), (1024, 768))
_LENGTHS, _LONGER = (1, 5, 10), (1, 3, 10)
_ROUNDS, _OPENINGS = 7, 3
_POLL_SECONDS = 0.02  # between two readings of a process's memory
_ENCODE = (
    "--preset", "preview", "--device", "cpu", "--threads", "1", "--segment", "100000f", "--downscale", "2",
    "--set", "schedule.scale=0.03", "--set", "schedule.rays=512",
)  # fmt: skip


@dataclass(frozen=True)
class Peak:
    """Peak memory of a process in MB: anonymous, and of mapped files."""

    own: float
    mapped: float


@dataclass(frozen=True)
class Playback:
    """Seconds to the first frame of a clip with ``frames`` frames, and for each of some later ones."""

    frames: int
    opening: float
    seconds: tuple[float, ...]


def main() -> None:
    """Measure, plot and print."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clip", type=Path)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--what", choices=("pixels", "length", "memory"), help="one of the three; default: all"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options, rest = parser.parse_known_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dynerf-cost-") as name:
        folder = Path(name)
        cases: dict[str, tuple[Callable[[], Series], str, str]] = {
            "pixels": (lambda: over_pixels(options.clip), "pixels per frame", "seconds"),
            "length": (lambda: over_length(options.clip, folder), "frames of the clip", "seconds"),
            "memory": (lambda: over_memory(options.capture, folder, rest), "frames of the capture", "MB"),
        }
        for what, (measure, x, y) in cases.items():
            if options.what in (None, what):
                _draw(options.out / f"cost_{what}.svg", measure(), Axis(x, zero=True), Axis(y, zero=True))


def over_pixels(path: Path) -> Series:
    """Median seconds per frame at each size."""
    with FileSource(path) as source:
        clip = Clip(Reader(source))
        camera = clip.cameras[0]
        times: dict[tuple[int, int], list[float]] = {size: [] for size in _SIZES}
        for turn in range(_ROUNDS + 1):  # the first one compiles and loads
            for size in _SIZES:
                taken = _seconds(clip, camera.with_size(*size), 10.0)
                if turn:
                    times[size].append(taken)
    return {"a frame": [(float(w * h), statistics.median(seconds)) for (w, h), seconds in times.items()]}


def over_length(path: Path, folder: Path) -> Series:
    """Median seconds per frame while playing, and from opening to the first frame, by length."""
    series: Series = {}
    for name, make in (("one model", repeat_latents), ("joined", join_copies)):
        longer = [folder / f"{name}-{times}.dnv" for times in _LENGTHS]
        for clip, times in zip(longer, _LENGTHS, strict=True):
            make(path, clip, times)
        rounds = [[_played(clip) for clip in longer] for _ in range(_OPENINGS)]  # lengths take turns
        turns = list(zip(*rounds, strict=True))
        playing = [statistics.median(t for played in turn for t in played.seconds) for turn in turns]
        opening = [statistics.median(played.opening for played in turn) for turn in turns]
        frames = [float(turn[0].frames) for turn in turns]
        series[f"{name}: a frame"] = list(zip(frames, playing, strict=True))
        series[f"{name}: open and seek"] = list(zip(frames, opening, strict=True))
    return series


def repeat_latents(path: Path, output: Path, times: int) -> None:
    """Write a clip with ``times`` as many frames that has the weights once."""
    with FileSource(path) as source:
        reader = Reader(source)
        header, frames = reader.header, reader.header.frames
        if len(header.segments) > 1:
            raise SystemExit(f"{path}: {len(header.segments)} segments, expected one")
        chunks = [
            Chunk(e.kind, 0, e.layer, e.first + copy * frames, e.count, reader.read_chunk(e))
            if e.kind == b"LATN"
            else Chunk(e.kind, 0, e.layer, e.first, e.count, reader.read_chunk(e))
            for copy in range(times)
            for e in reader.directory
            if copy == 0 or e.kind == b"LATN"
        ]
    write_clip(
        output, replace(header, frames=times * frames, segments=(SegmentRecord(0, times * frames),)), chunks
    )


def join_copies(path: Path, output: Path, times: int) -> None:
    """Join ``times`` consecutive copies into one clip with as many segments."""
    copies = []
    for number in range(times):
        with FileSource(path) as source:
            reader = Reader(source)
            header = reader.header
            chunks = [
                Chunk(e.kind, 0, e.layer, e.first, e.count, reader.read_chunk(e)) for e in reader.directory
            ]
        copies.append(output.with_name(f"copy-{number}.dnv"))
        first = header.first_source_frame + number * header.frames
        write_clip(copies[-1], replace(header, first_source_frame=first), chunks)
    join_clips(copies, output)


def _played(path: Path) -> Playback:
    """Open a clip, render its middle frame and play on from there."""
    with FileSource(path) as source:
        started = time.perf_counter()
        clip = Clip(Reader(source))
        camera, middle = clip.cameras[0], clip.frames // 2
        clip.render(camera, frame=float(middle))
        opening = time.perf_counter() - started
        seconds = tuple(_seconds(clip, camera, float(middle + n)) for n in range(1, _ROUNDS + 1))
    return Playback(clip.frames, opening, seconds)


def over_memory(capture: Path, folder: Path, rest: Iterable[str]) -> Series:
    """Peak memory in MB of encodes of captures of increasing length."""
    series: Series = {"the encoder's own": [], "mapped files": []}
    for times in _LONGER:
        longer = folder / f"capture-{times}"
        frames = repeat_videos(capture, longer, times)
        peak = peak_of(["encode", str(longer), "-o", str(folder / f"{times}.dnv"), *_ENCODE, *rest])
        series["the encoder's own"].append((float(frames), peak.own))
        series["mapped files"].append((float(frames), peak.mapped))
    return series


def repeat_videos(capture: Path, output: Path, times: int) -> int:
    """Write a capture whose videos repeat those of another one; return its number of frames."""
    output.mkdir()
    (output / "poses_bounds.npy").write_bytes((capture / "poses_bounds.npy").read_bytes())
    frames = 0
    for video in sorted(capture.glob("cam*.mp4")):
        with av.open(str(output / video.name), "w") as out:
            for copy in range(times):
                with av.open(str(video)) as source:
                    stream = source.streams.video[0]
                    if copy == 0:
                        target = out.add_stream_from_template(stream)
                    if stream.average_rate is None or stream.time_base is None:
                        raise SystemExit(f"{video}: has no frame rate")
                    step = 1 / (stream.average_rate * stream.time_base)
                    frames = stream.frames
                    for packet in source.demux(stream):
                        if packet.dts is None or packet.pts is None:
                            continue
                        packet.pts += round(copy * frames * step)
                        packet.dts += round(copy * frames * step)
                        packet.stream = target
                        out.mux(packet)
    return times * frames


def peak_of(arguments: list[str]) -> Peak:
    """Run ``dynerf`` and poll its memory."""
    process = subprocess.Popen([sys.executable, "-m", "dynerf", *arguments], stderr=subprocess.PIPE)
    own, mapped = 0, 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        fields = dict(line.split(":", 1) for line in status.splitlines())
        if "RssAnon" in fields:  # absent while the process starts or ends
            own = max(own, int(fields["RssAnon"].split()[0]))
            mapped = max(mapped, int(fields["RssFile"].split()[0]) + int(fields["RssShmem"].split()[0]))
        time.sleep(_POLL_SECONDS)
    _, stderr = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"dynerf {' '.join(arguments)}: {stderr.decode()}")
    return Peak(own / 1024, mapped / 1024)


def _seconds(clip: Clip, camera: Camera, frame: float) -> float:
    """Seconds to render a frame, including reading and folding its latents."""
    started = time.perf_counter()
    clip.render(camera, frame=frame)
    return time.perf_counter() - started


def _draw(path: Path, series: Series, x: Axis, y: Axis) -> None:
    """Write the plot and print a table of the same values."""
    path.write_text(plot(series, x, y))
    print(f"| {x.label} | {' | '.join(f'{name}, {y.label}' for name in series)} |")
    print("|--:" * (1 + len(series)) + "|")
    for index, (x_value, _) in enumerate(next(iter(series.values()))):
        print(f"| {x_value:,.0f} | {' | '.join(f'{line[index][1]:.4g}' for line in series.values())} |")
    print(flush=True)


if __name__ == "__main__":
    main()
