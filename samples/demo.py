"""Runs the README's demonstration: encodes the bundled capture and renders new viewpoints.

    python samples/demo.py out

Writes out/candle.dnv, out/orbit.mp4 and out/candle_cam0.png: a held-out frame as decoded (left) and as
filmed (right).
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CAPTURE = Path(__file__).parent / "candle"
FRAME = 15


def dynerf(*arguments: object) -> None:
    """Run the command as a user would; exit if it fails."""
    print("$ dynerf", *arguments, flush=True)
    finished = subprocess.run([sys.executable, "-m", "dynerf", *map(str, arguments)], check=False)
    if finished.returncode:
        sys.exit(finished.returncode)


def side_by_side(clip_path: Path, capture: Path, output: Path) -> None:
    """Write the decoded and the filmed held-out view into one image."""
    import dynerf as library
    from dynerf_decoder.video.frame_writer import open_output
    from dynerf_encoder.captures.video import decode
    from dynerf_format.frame_range import FrameRange

    with library.open(clip_path) as clip:
        camera = clip.cameras[0]
        decoded = clip.render(camera, frame=FRAME).numpy()
        fps = clip.fps
    frames = FrameRange(FRAME, FRAME + 1).within(FRAME + 1, str(capture))
    truth = next(iter(decode(capture / f"{camera.name}.mp4", frames)))
    both = np.concatenate([decoded, truth], axis=1)
    with open_output(output, both.shape[1], both.shape[0], fps, 1) as out:
        out.write(both)


def main(folder: Path) -> None:
    """Encode, measure, render."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    clip = folder / "candle.dnv"
    dynerf("encode", CAPTURE, "-o", clip, "--preset", "preview")
    dynerf("decode", clip, "-o", folder / "orbit.mp4", "--view", "orbit", "--speed", "0.25")
    side_by_side(clip, CAPTURE, folder / "candle_cam%d.png")
    print(f"{clip}: {clip.stat().st_size:,} bytes; all done in {time.monotonic() - started:.0f} s")
    print(f"watch {folder / 'orbit.mp4'}; decoded (left) and filmed view are in {folder / 'candle_cam0.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
