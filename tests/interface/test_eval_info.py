"""``dynerf eval`` and ``dynerf info``: metrics, JSON on standard output and nothing else."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dynerf
from dynerf_encoder.captures.video import decode
from dynerf_format import (
    Chunk,
    FieldRecord,
    FileSource,
    Reader,
    SegmentRecord,
    clip_bytes,
    latents_chunk,
    quantise,
    weights_chunk,
)
from dynerf_format.frame_range import FrameRange
from support.command import FRAMES, change_poses, done, refused
from support.link import serving


def test_eval_measures_what_the_encoder_measured(clip: Path, scene: Path) -> None:
    ran = done("eval", clip, scene, "--json")
    result = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    assert ran.err != ""
    measured = json.loads(done("info", clip, "--json").out)["quality"]["held_out_psnr"]
    assert result["psnr"] == pytest.approx(measured, abs=1e-3)
    assert result["views"] == ["cam00"]
    assert [(frame["view"], frame["frame"]) for frame in result["frames"]] == [
        ("cam00", frame) for frame in range(FRAMES)
    ]
    for metric in ("psnr", "ssim", "mse", "dssim", "flip"):
        assert result[metric] == pytest.approx(np.mean([frame[metric] for frame in result["frames"]]))


def test_eval_compares_decoded_pictures_with_the_video(clip: Path, scene: Path) -> None:
    result = json.loads(done("eval", clip, scene, "--json", "--views", "cam05,cam02", "--every", 4).out)
    assert result["views"] == ["cam05", "cam02"]
    assert {(frame["view"], frame["frame"]) for frame in result["frames"]} == {
        ("cam05", 0), ("cam02", 0), ("cam05", 4), ("cam02", 4),
    }  # fmt: skip
    truth = next(iter(decode(scene / "cam05.mp4", FrameRange(4, 5).within(FRAMES, ""))))
    with dynerf.open(clip, device="cpu") as opened:
        decoded = opened.render(opened.cameras[2], frame=4.0).rgb.numpy()
    error = np.square(decoded - truth / 255.0).mean()
    found = next(f["psnr"] for f in result["frames"] if (f["view"], f["frame"]) == ("cam05", 4))
    assert found == pytest.approx(-10 * np.log10(error), abs=1e-3)


def test_eval_measures_the_first_layers_only(clip: Path, scene: Path) -> None:
    result = json.loads(done("eval", clip, scene, "--json", "--layers", 1, "--every", 3).out)
    truth = next(iter(decode(scene / "cam00.mp4", FrameRange(3, 4).within(FRAMES, ""))))
    with dynerf.open(clip, device="cpu", layers=1) as opened:
        decoded = opened.render(opened.cameras[0], frame=3.0).rgb.numpy()
    found = next(frame["psnr"] for frame in result["frames"] if frame["frame"] == 3)
    assert found == pytest.approx(-10 * np.log10(np.square(decoded - truth / 255.0).mean()), abs=1e-3)
    assert found < json.loads(done("eval", clip, scene, "--json", "--every", 3).out)["psnr"]


def test_eval_prints_a_table(clip: Path, scene: Path) -> None:
    lines = done("eval", clip, scene, "--every", 3).out.splitlines()
    assert lines[0].split()[:5] == ["view", "frame", "PSNR", "dB", "SSIM"]
    assert [line.split()[:2] for line in lines[1:3]] == [["cam00", "0"], ["cam00", "3"]]
    assert lines[3].startswith("mean of 2")
    assert lines[4:] == [
        "no lpips: needs weights, which are not downloaded: --lpips-weights FILE",
        "no jod: is of a whole video: needs --every 1 and at least two frames",
    ]


def test_eval_reports_all_metrics_and_a_reason_for_missing_ones(clip: Path, scene: Path) -> None:
    result = json.loads(done("eval", clip, scene, "--json", "--every", 3).out)
    metrics = ("psnr", "ssim", "mse", "dssim", "lpips", "flip", "jod", "psnr_moving")
    assert {metric for metric in metrics if result[metric] is None} == result["missing"].keys()
    assert set(result["missing"]) == {"lpips", "jod"}
    assert result["dssim"] == pytest.approx((1 - result["ssim"]) / 2)
    for frame in result["frames"]:
        assert frame["psnr"] == pytest.approx(-10 * np.log10(frame["mse"]))


def test_eval_writes_a_self_contained_page(clip: Path, scene: Path, out: Path) -> None:
    done("eval", clip, scene, "--every", 3, "--report", out / "report")
    assert [path.name for path in (out / "report").iterdir()] == ["index.html"]
    page = (out / "report" / "index.html").read_text()
    layers = json.loads(done("info", clip, "--json").out)["layers"]
    assert page.count("data:image/png;base64,") == 9 + len(layers)
    for layer in layers:
        assert f"{layer['layers']} of {len(layers)}: {layer['bytes']:,} bytes of weights" in page
    for text in ("psnr_moving", "--lpips-weights FILE", "<polyline", "WGHT", "LATN", "worst: cam00, frame"):
        assert text in page
    assert "://" not in page


def test_a_report_that_cannot_be_written_is_refused_at_once(clip: Path, scene: Path, out: Path) -> None:
    line = refused("eval", clip, scene, "--report", clip / "report", folder=out)
    assert f"{clip / 'report'}: cannot be created: Not a directory" in line


def test_invalid_weights_are_refused_at_once(clip: Path, scene: Path, out: Path) -> None:
    (out / "alex.pth").write_bytes(b"\x80\x02}q\x00.")
    line = refused("eval", clip, scene, "--lpips-weights", out / "alex.pth", folder=out)
    assert f"{out / 'alex.pth'}: is not a readable safetensors file" in line


def test_eval_refuses_what_does_not_fit(clip: Path, scene: Path, capture: Path, tmp_path: Path) -> None:
    def refused_eval(*arguments: object) -> str:
        return refused("eval", *arguments, folder=tmp_path)

    line = refused_eval(clip, scene, "--views", "cam99")
    assert "no view 'cam99' in the clip, there are cam00, cam02, cam05" in line
    assert f"{tmp_path / 'no'}: does not exist" in refused_eval(clip, tmp_path / "no")
    assert f"{scene}: is a folder, expected a .dnv file" in refused_eval(scene, clip)
    change_poses(capture, lambda rows: rows[::-1])
    line = refused_eval(clip, capture)
    assert f"{capture}: " in line
    assert "expected the capture the clip was encoded from" in line
    (capture / "cam00.mp4").unlink()
    change_poses(capture, lambda rows: rows[:2])
    assert "cam00" in refused_eval(clip, capture)


def test_info_describes_the_file(clip: Path) -> None:
    ran = done("info", clip, "--json")
    assert (ran.out.count("\n"), ran.err) == (1, "")
    record = json.loads(ran.out)
    assert record["bytes"] == clip.stat().st_size == sum(record["bytes_by_part"].values())
    assert (record["frames"], record["fps"], record["field"]) == (FRAMES, 30, "planes")
    assert record["segments"] == [{"first_frame": 0, "frames": FRAMES, "builds_on": 0}]
    assert [camera["name"] for camera in record["cameras"]] == ["cam00", "cam02", "cam05"]
    assert record["parameters"] == sum(int(np.prod(shape)) for shape in record["tensors"].values())
    with dynerf.open(clip, device="cpu") as opened:
        assert record["parameters"] == sum(value.numel() for value in opened.model(0).parameters())
    assert record["config"]["schedule"]["rays"] == 512
    assert sum(layer["own_bytes"] for layer in record["layers"]) == record["bytes_by_part"]["WGHT"]
    assert [layer["bytes"] for layer in record["layers"]] == list(
        np.cumsum([layer["own_bytes"] for layer in record["layers"]])
    )


def test_info_prints_the_same_as_text(clip: Path) -> None:
    ran = done("info", clip)
    record = json.loads(done("info", clip, "--json").out)
    for text in (
        f"{clip.stat().st_size:,} bytes", "6 frames at 30 fps (0.20 s)", "held out: cam00",
        f"{record['parameters']:,} parameters", "WGHT", "LATN", "held_out_psnr", "scales = [8, 12]",
    ):  # fmt: skip
        assert text in ran.out
    assert ran.err == ""


def test_a_closed_output_pipe_is_not_an_error(clip: Path) -> None:
    code = "import sys; from dynerf.cli.main import run; sys.argv = ['dynerf', 'info', sys.argv[1]]; run()"
    child = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(0.2); {code}", str(clip)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 1


def test_a_full_disk_behind_standard_output_is_one_line(clip: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "dynerf", "info", "--json", str(clip)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr == "dynerf: error: standard output: cannot be written: No space left on device\n"


def _segments(clip: Path, count: int, path: Path) -> Path:
    """The clip with its first frame repeated as ``count`` segments."""
    with FileSource(clip) as source:
        reader = Reader(source)
        weights = [e for e in reader.directory if e.kind == b"WGHT"]
        payloads = [reader.read_chunk(entry) for entry in weights]
        latents = quantise("latents", reader.latents(0, 1), 0.01)
        header = reader.header
    chunks = []
    for number in range(count):
        copies = [
            Chunk(e.kind, number, e.layer, 0, e.count, p) for e, p in zip(weights, payloads, strict=True)
        ]
        chunks += [copies[0], latents_chunk(number, number, latents), *copies[1:]]
    records = tuple(SegmentRecord(number, 1) for number in range(count))
    path.write_bytes(clip_bytes(replace(header, frames=count, segments=records), chunks))
    return path


def test_info_fetches_header_and_directory_only(clip: Path, tmp_path: Path) -> None:
    data = _segments(clip, 24, tmp_path / "long.dnv").read_bytes()
    assert len(data) > 3 * 16384
    with serving(data) as link:
        record = json.loads(done("info", link.address, "--json").out)
    assert link.requests == [(0, 16384)]
    with dynerf.open(clip, device="cpu") as opened:
        assert record["parameters"] == 24 * sum(value.numel() for value in opened.model(0).parameters())
    assert len(record["segments"]) == 24


def test_info_decodes_nothing(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynerf_format.tensors.tensor_payload.unpack_records", None)
    monkeypatch.setattr("dynerf_format.container.reader.decompress", None)
    done("info", clip)
    done("info", clip, "--check")


def test_info_check_verifies_every_checksum(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    record = json.loads(done("info", clip, "--check", "--json").out)
    with FileSource(clip) as source:
        directory = Reader(source).directory
    assert (record["sha256"], record["chunks_checked"]) == (data[-32:].hex(), len(directory))
    assert (
        f"the checksums of all {len(directory)} chunks and of the whole file match"
        in done("info", clip, "--check").out
    )
    for position in [entry.end - 1 for entry in directory] + [len(data) - 1]:
        broken = bytearray(data)
        broken[position] ^= 1
        path = tmp_path / "broken.dnv"
        path.write_bytes(broken)
        assert "is damaged: " in refused("info", path, "--check", folder=tmp_path)
        assert done("info", path).status == 0


def test_info_of_an_unknown_field_says_so(clip: Path, tmp_path: Path) -> None:
    with FileSource(clip) as source:
        reader = Reader(source)
        header = replace(
            reader.header, field=FieldRecord("splats", {}), segments=(SegmentRecord(0, 1),), frames=1
        )
    chunks = [
        weights_chunk(0, [quantise("w", [1.0], 1.0)]),
        latents_chunk(0, 0, quantise("latents", [[1.0]], 1.0)),
    ]
    path = tmp_path / "other.dnv"
    path.write_bytes(clip_bytes(header, chunks))
    assert (
        "splats field in a perspective space: its parameters are unknown to this version"
        in done("info", path).out
    )
    record = json.loads(done("info", path, "--json").out)
    assert (record["parameters"], record["tensors"], record["bits_per_parameter"]) == (None, None, None)
