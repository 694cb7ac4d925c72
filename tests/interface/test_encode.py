"""``dynerf encode``: what it writes, how its options are recorded in the file, and options it must refuse."""

import json
from pathlib import Path

import pytest

from dynerf.api.encode_options import EncodeOptions
from dynerf_format import FileSource, Header, Reader
from support.command import FRAMES, TINY, change_poses, done, listing, refused


def _header(path: Path) -> Header:
    with FileSource(path) as source:
        return Reader(source).header


def test_an_encode_leaves_the_clip_the_log_and_the_work_folder(clip: Path) -> None:
    assert {name.split("/")[0] for name in listing(clip.parent)} == {
        "clip.dnv", "clip.log.jsonl", "clip.work",
    }  # fmt: skip
    assert not (clip.parent / "clip.work" / "checkpoint.npz").exists()
    with FileSource(clip) as source:
        Reader(source).verify()
    header = _header(clip)
    assert [(camera.name, camera.role) for camera in header.cameras] == [
        ("cam00", "held_out"), ("cam02", "training"), ("cam05", "training"),
    ]  # fmt: skip
    assert (header.frames, header.first_source_frame) == (FRAMES, 0)
    assert header.fps == 30


def test_the_log_records_the_encode_in_json_lines(clip: Path) -> None:
    lines = (clip.parent / "clip.log.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    names = [event["event"] for event in events]
    assert {"message", "step", "held_out"} <= set(names)
    assert names[-1] == "done"
    assert events[-1]["psnr"] == pytest.approx(_header(clip).quality["held_out_psnr"], abs=1e-4)
    assert events[-1]["bytes"] == clip.stat().st_size
    steps = [event for event in events if event["event"] == "step"]
    assert steps[-1]["position"] == 1
    # 512 rays take longer than a tenth of a millisecond, whatever machine this is.
    assert all(0 < step["rays_per_second"] < 5e6 for step in steps)


def test_options_are_recorded_in_the_file(scene: Path, out: Path) -> None:
    settings = out / "settings.toml"
    settings.write_text("[schedule]\nscale = 0.5\nrays = 64\n[planes]\nhidden = 16\n")
    ran = done(
        "encode", scene, "-o", out / "a.dnv", *TINY, "--config", settings, "--frames", "2:5", "--downscale",
        2, "--space", "box", "--seed", 7, "--hold-out", "cam02", "--set", "schedule.scale=0.002",
        "--cache", out / "cache",
    )  # fmt: skip
    assert ran.out == ""
    header = _header(out / "a.dnv")
    assert (header.frames, header.first_source_frame, header.space.kind) == (3, 2, "box")
    assert {camera.role for camera in header.cameras if camera.name == "cam02"} == {"held_out"}
    assert {(camera.width, camera.height) for camera in header.cameras} == {(16, 12)}
    config = header.config
    assert config["planes"]["hidden"] == 16
    assert config["planes"]["scales"] == [8, 12]
    assert (config["schedule"]["scale"], config["preset"]) == (0.002, "preview")
    assert config["job"] == {"downscale": 2, "seed": 7, "device": "cpu"}
    assert {name.split("/")[0] for name in listing(out)} == {
        "a.dnv", "a.log.jsonl", "cache", "settings.toml",
    }  # fmt: skip


def test_the_mlp_field_one_frame_and_no_view_held_out(scene: Path, out: Path) -> None:
    ran = done(
        "encode", scene, "-o", out / "a.dnv", *TINY, "--field", "mlp", "--hold-out", "none", "--frames",
        ":1", "--set", "mlp.width=8", "--set", "mlp.latent=4", "--time-limit", "60s",
        "--set", "schedule.scale=0.002",
    )  # fmt: skip
    assert "no view held out" in ran.err
    header = _header(out / "a.dnv")
    assert (header.field.kind, header.frames) == ("mlp", 1)
    assert {camera.role for camera in header.cameras} == {"training"}
    done("decode", out / "a.dnv", "-o", out / "a.mp4", "--view", "orbit", "--time", "0:0.02")


def test_cam00_is_held_out_whatever_the_suffix_of_its_video(capture: Path, out: Path) -> None:
    (capture / "cam00.mp4").rename(capture / "cam00.MP4")
    assert EncodeOptions(capture, out / "a.dnv").job().hold_out == ("cam00",)
    (capture / "cam00.MP4").unlink()
    change_poses(capture, lambda rows: rows[1:])
    assert EncodeOptions(capture, out / "a.dnv").job().hold_out == ()


def test_single_settings_override_quality_and_size(scene: Path, out: Path) -> None:
    one = ("--set", "schedule.scale=0.002", "--cache", out / "cache")
    done("encode", scene, "-o", out / "a.dnv", *TINY, *one, "--quality", 4, "--set", "rate.start=0.5")
    config = _header(out / "a.dnv").config
    assert config["rate"] == {"start": 0.5, "weight": pytest.approx(4 * 0.0025), "target": 0}
    assert config["quantisation"]["planes"] == pytest.approx(2 * 0.16)
    done("encode", scene, "-o", out / "b.dnv", *TINY, *one, "--target-size", "8kB")
    assert (out / "b.dnv").stat().st_size == pytest.approx(8_000, rel=0.05)
    config = _header(out / "b.dnv").config
    assert config["rate"]["target"] == 8_000
    assert config["quantisation"]["planes"] != pytest.approx(0.16, rel=1e-3)  # what was used


@pytest.mark.parametrize(
    ("option", "value", "found"),
    [
        ("--set", "planes.scale=8", "--set planes.scale=8: unknown setting planes.scale, the nearest known"),
        ("--set", "planes.scales=a", "--set planes.scales=a: found 'a', expected whole numbers"),
        ("--set", "planes", "--set planes: expected section.key=value"),
        ("--set", "planes.scales=8", "1 scales and 2 numbers of basis planes"),
        ("--set", "planes.hidden=0", "planes.hidden: found 0, expected a whole number from 1"),
        ("--set", "planes.latent=99999", "found 99999, expected a whole number from 1 to 16384"),
        ("--set", "sampling.coarse=100000", "sampling.coarse: found 100000, expected 2 to 4096"),
        ("--set", "schedule.rays=1", "1 rays of 2 frames per step"),
        ("--set", "quantisation.planes=0", "quantisation"),
        ("--set", "schedule.scale=0", "0 training steps"),
        ("--config", "nowhere.toml", "nowhere.toml"),
        ("--device", "cuda", "torch finds no CUDA device; use --device cpu or auto"),
        ("--downscale", "100", "downscale 100: leaves no pixel of the pictures"),
    ],
)
def test_invalid_settings_are_refused_at_once(
    scene: Path, out: Path, option: str, value: str, found: str
) -> None:
    if value == "cuda":
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
    line = refused("encode", scene, "-o", out / "a.dnv", *TINY, option, value, folder=out)
    assert found in line


def test_the_output_is_checked_first(scene: Path, out: Path) -> None:
    def encode(output: Path) -> str:
        return refused("encode", scene, "-o", output, *TINY, folder=out)

    assert f"{out / 'no' / 'a.dnv'}: the folder {out / 'no'} does not exist" in encode(out / "no" / "a.dnv")
    assert f"{scene / 'cam00.mp4'} is not a folder" in encode(scene / "cam00.mp4" / "a.dnv")
    assert "expected a name that ends in .dnv" in encode(out / "a.mp4")
    assert "/proc/a.dnv: the folder /proc cannot be written to" in encode(Path("/proc/a.dnv"))
    (out / "a.log.jsonl").mkdir()
    assert f"{out / 'a.log.jsonl'}: is a folder" in encode(out / "a.dnv")
    sheets = scene / "cam00.mp4" / "sheets"
    line = refused("encode", scene, "-o", out / "b.dnv", *TINY, "--save-importance", sheets, folder=out)
    assert f"{scene / 'cam00.mp4'} is not a folder" in line


def test_a_refused_job_leaves_the_older_clip_and_its_log_alone(scene: Path, out: Path) -> None:
    (out / "a.dnv").write_text("older")
    (out / "a.log.jsonl").write_text("older")
    refused("encode", scene, "-o", out / "a.dnv", *TINY, "--hold-out", "cam99", folder=out)
    assert {(out / name).read_text() for name in ("a.dnv", "a.log.jsonl")} == {"older"}


def test_resuming_what_is_finished_or_does_not_exist(scene: Path, clip: Path, out: Path) -> None:
    line = refused("encode", scene, "-o", clip, *TINY, "--resume", folder=clip.parent)
    assert f"{clip}: is finished, there is nothing to resume" in line
    done("encode", scene, "-o", out / "a.dnv", *TINY, "--resume", "--set", "schedule.scale=0.002")


def test_the_papers_baselines_are_options(scene: Path, out: Path) -> None:
    options = ("--conditioning", "time", "--no-hierarchical", "--importance", "isg", "--keyframes", "3")
    done("encode", scene, "-o", out / "a.dnv", *TINY, *options)
    config = json.loads(done("info", out / "a.dnv", "--json").out)["config"]
    assert config["conditioning"]["kind"] == "time"
    assert config["planes"]["latent"] == 21
    assert config["schedule"]["hierarchical"] is False
    assert (config["schedule"]["keyframes"], config["schedule"]["keyframe_interval"]) == ("fixed", 3)
    assert config["importance"]["strategy"] == "isg"


def test_single_settings_override_the_options_that_are_shorthands(scene: Path, out: Path) -> None:
    options = ("--keyframes", "auto", "--set", "schedule.keyframes=fixed")
    done("encode", scene, "-o", out / "a.dnv", *TINY, *options)
    config = json.loads(done("info", out / "a.dnv", "--json").out)["config"]
    assert config["schedule"]["keyframes"] == "fixed"
