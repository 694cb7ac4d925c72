"""Measures motion interpolation: trains on even frames and renders odd ones from interpolated latents.

    python benchmarks/interpolation.py samples/candle --work out/interpolation
    python benchmarks/interpolation.py CAPTURE --work out/other -- --downscale 2

Writes a capture of the even frames at half the rate, encodes it, renders each odd frame half way between its
neighbours and compares it with the held-out cam00; the baseline shows the preceding even frame instead.
Prints one JSON object. A clip already in the work folder is not trained again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

import dynerf
from dynerf_decoder.video.colour import RgbToFrame, tag_bt709
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.video import decode
from dynerf_encoder.evaluation.metrics import moving_psnr, psnr
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.weights import temporal_median
from dynerf_format.frame_range import FrameRange

_VIEW = "cam00"


def main() -> None:
    """Encode the even frames, score the odd ones."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:end])
    options.more = sys.argv[end + 1 :]
    even, clip = options.work / "even", options.work / "even.dnv"
    if not even.exists():
        write_even(options.capture, even)
    if not clip.exists():
        command = ["encode", even, "-o", clip, "--hold-out", _VIEW, *options.more]
        subprocess.run([sys.executable, "-m", "dynerf", *map(str, command)], check=True)
    print(json.dumps(scores(clip, options.capture, options.work / "truth"), indent=2))


def write_even(capture: Path, folder: Path) -> None:
    """Write frames 0, 2, 4, ... of all videos, losslessly coded, with the same poses."""
    recording = read_n3v(capture, FrameRange())
    folder.mkdir(parents=True)
    for view in recording.views:
        with av.open(str(folder / f"{view.name}.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=recording.fps / 2, options={"qp": "0"})
            stream.width, stream.height = view.camera.width, view.camera.height
            stream.pix_fmt = "yuv444p"
            tag_bt709(stream.codec_context)
            to_frame = RgbToFrame("yuv444p")
            for index, picture in enumerate(decode(view.video, view.in_video(range(recording.frames)))):
                if index % 2 == 0:
                    frame = to_frame(picture)
                    frame.pts, frame.time_base = index // 2, Fraction(2) / recording.fps
                    out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    shutil.copy(capture / "poses_bounds.npy", folder)


def scores(clip_path: Path, capture: Path, folder: Path) -> dict[str, float | int]:
    """Mean PSNR of the odd frames between two even ones, interpolated and repeated."""
    found: dict[str, list[float]] = {}
    with dynerf.open(clip_path) as clip:
        factor = int(clip.header.config["job"]["downscale"])
        recording = read_n3v(capture, FrameRange()).only([_VIEW])
        store = FrameStore.build(recording, folder, frames=FrameRange(), downscale=factor)
        pictures = np.asarray(store.view(0))
        median = temporal_median(pictures.reshape(store.frames, -1, 3)).reshape(*pictures.shape[1:])
        still = torch.as_tensor(median / np.float32(510))
        for odd in range(1, 2 * clip.frames - 1, 2):
            truth = torch.as_tensor(pictures[odd].copy()).float() / 255
            for name, frame in (("interpolated", odd / 2), ("nearest", (odd - 1) / 2)):
                decoded = clip.render(store.cameras[0], frame=frame).rgb.cpu()
                found.setdefault(f"{name}_psnr", []).append(psnr(decoded, truth))
                moving = moving_psnr(decoded, truth, still)
                if moving is not None:
                    found.setdefault(f"{name}_psnr_moving", []).append(moving)
    means = {name: round(float(np.mean(values)), 3) for name, values in found.items()}
    return {**means, "frames": len(found["nearest_psnr"])}


if __name__ == "__main__":
    main()
