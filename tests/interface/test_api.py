"""``import dynerf``: its names and signatures, and their documented behaviour."""

import inspect
import json
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dynerf
from dynerf_format.io.folder_lock import folder_lock
from support.command import FRAMES, HEIGHT, SETTINGS, WIDTH, done, numbered, pictures
from support.video import ROOT

_NAMES = """
    AsyncClip Camera CameraInfo Cameras CaptureError Clip ConfigError DynerfError EncodeResult Evaluation
    FormatError Frame FrameScore Info LayerInfo OutputError Progress RemoteError ResumeError SegmentInfo Shot
    SoundInfo Trajectory ViewError __version__ encode evaluate info open open_async paths
"""

_TIMING = "frames=None, seconds=None, speed=1.0, freeze=None, size=None"
_SIGNATURES: dict[str, str] = {
    "open": "(location, *, device='auto', layers=None)",
    "open_async": "(location, *, device='auto', layers=None)",
    "info": "(location, *, check=False)",
    "evaluate": "(clip, capture, *, views=None, every=1, lpips_weights=None, layout=None, report=None, "
    "device='auto', layers=None, on_progress=None)",
    "encode": "(capture, output, *, preset=None, field=None, quality=None, target_size=None, config=None, "
    "settings=(), device='auto', frames=':', hold_out=None, downscale=1, layout=None, depths=None, "
    "fps=None, audio='auto', audio_bitrate=None, space='auto', seed=0, time_limit=None, segment='300f', "
    "overlap=None, warm_start=None, key_segment=6, workers=1, cluster=None, "
    "send_capture=False, threads=None, cache=None, save_importance=None, resume=False, on_progress=None)",
    "paths.orbit": f"(clip, *, {_TIMING})",
    "paths.spiral": f"(clip, *, {_TIMING})",
    "paths.still": "(clip, camera, *, frames=None, seconds=None, speed=1.0, size=None)",
    "paths.from_nerfstudio": f"(clip, path, *, {_TIMING})",
    "Camera": "(name, width, height, focal_x, focal_y, centre_x, centre_y, camera_to_world)",
    "Camera.from_opencv": "(matrix, rotation, translation, size, *, name='camera')",
    "Camera.from_colmap": "(model, params, quaternion, translation, size, *, name='camera')",
    "Camera.from_nerfstudio": "(record, *, name='camera')",
    "Camera.to_opencv": "(self)",
    "Camera.to_colmap": "(self)",
    "Camera.to_nerfstudio": "(self)",
    "Camera.with_size": "(self, width, height)",
    "Camera.project": "(self, points)",
    "Clip.render": "(self, camera, *, time=None, frame=None, stop=None, plain=False)",
    "Clip.save_video": "(self, path, view, *, fps=None, depth=False, audio_codec='aac', on_progress=None)",
    "Clip.sound": "(self, first_frame=0, frames=None)",
    "Clip.close": "(self, *, wait=True)",
    "Clip.frame_at": "(self, seconds)",
    "AsyncClip.render": "(self, camera, *, time=None, frame=None)",
    "Frame": "(rgb, depth)",
    "Frame.numpy": "(self)",
    "Frame.cpu": "(self)",
    "Shot": "(camera, time)",
    "Trajectory.shots": "(self, fps=None)",
}
_FIELDS = {
    "EncodeResult": "path bytes psnr steps training_seconds work_folder",
    "Progress": "task done total detail metrics",
    "Evaluation": "views frames jod missing",
    "Info": "layers bytes bytes_by_part frames fps seconds first_source_frame field field_settings sampling "
    "parameters bits_per_parameter latent_bytes_per_frame tensors segments cameras space viewing_volume "
    "quality generator config sound sha256 chunks_checked",
    "SoundInfo": "bytes seconds bit_rate channels",
}


def test_the_public_names_are_these() -> None:
    assert sorted(dynerf.__all__) == sorted(_NAMES.split())
    assert set(_NAMES.split()) <= set(dir(dynerf))
    for name in _NAMES.split():
        assert getattr(dynerf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'open_clip'"):
        dynerf.open_clip  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", _SIGNATURES)
def test_the_public_signatures_are_these(name: str) -> None:
    found: Any = dynerf
    for part in name.split("."):
        found = getattr(found, part)
    signature = inspect.signature(found)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == _SIGNATURES[name]
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", _FIELDS)
def test_the_public_results_have_these_fields(name: str) -> None:
    assert [field.name for field in fields(getattr(dynerf, name))] == _FIELDS[name].split()


def test_importing_loads_no_library() -> None:
    script = "import sys, dynerf; dir(dynerf); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    loaded = set(ran.stdout.split())
    assert "dynerf" in loaded
    assert not loaded & {"numpy", "torch", "av", "aiohttp", "msgpack", "numba", "rich", "dynerf_format"}


def test_every_package_is_marked_as_typed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert len(packages) == 5
    for package in packages:
        assert (ROOT / package / "py.typed").is_file()


def test_a_render_takes_a_time_in_seconds_or_a_frame(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        camera = opened.cameras["cam02"]
        assert camera is opened.cameras[1]
        by_time, by_frame = opened.render(camera, time=2.5 / 30), opened.render(camera, frame=2.5)
        assert torch.allclose(by_time.rgb, by_frame.rgb, atol=1e-5)
        last, end = opened.render(camera, frame=FRAMES - 1), opened.render(camera, time=FRAMES / 30)
        assert torch.equal(last.rgb, end.rgb), "the last frame is shown until the clip ends"
        for time, number in ((None, None), (0.0, 0.0)):
            with pytest.raises(TypeError, match="exactly one of time"):
                opened.render(camera, time=time, frame=number)
        with pytest.raises(dynerf.ViewError, match=r"time 0\.21 s, expected 0 to 0\.2 s"):
            opened.render(camera, time=0.21)
        with pytest.raises(dynerf.ViewError, match="frame 6 requested, the clip has frames 0 to 5"):
            opened.render(camera, frame=FRAMES)


def test_a_frame_has_8_bit_rgb_and_depth_in_world_units(clip: Path) -> None:
    with dynerf.open(str(clip), device="cpu") as opened:
        camera = dynerf.Camera.from_opencv(*opened.cameras[0].to_opencv(), size=(WIDTH, HEIGHT))
        frame = opened.render(camera, frame=0)
        nearest, farthest = opened.depth_range()
    rgb, depth = frame.numpy(), frame.depth.numpy()
    assert (rgb.shape, str(rgb.dtype)) == ((HEIGHT, WIDTH, 3), "uint8")
    assert (depth.shape, str(depth.dtype)) == ((HEIGHT, WIDTH), "float32")
    assert np.array_equal(rgb, (frame.rgb.numpy() * 255).round().astype(np.uint8))
    hit = depth[depth > 0]
    assert len(hit) > 0
    assert (0.9 * nearest <= hit).all()
    assert (hit <= 1.2 * farthest).all()
    assert np.array_equal(frame.cpu().depth, depth)


def test_close_and_with_close_the_file(clip: Path) -> None:
    opened = dynerf.open(clip, device="cpu")
    opened.close()
    with pytest.raises(ValueError, match="closed file"):
        opened.render(opened.cameras[0], frame=0)
    with dynerf.open(clip, device="cpu") as other:
        assert other.frames == FRAMES
    with pytest.raises(ValueError, match="closed file"):
        other.render(other.cameras[0], frame=0)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99"])
def test_a_device_that_does_not_exist_is_refused(clip: Path, device: str) -> None:
    with pytest.raises(dynerf.ConfigError, match=r"device .*(expected auto, cpu, cuda|finds)"):
        dynerf.open(clip, device=device)


def test_a_path_is_shown_at_the_clips_speed_whatever_the_rate(clip: Path, out: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        reports: list[dynerf.Progress] = []
        orbit = dynerf.paths.orbit(opened, size=(16, 12))
        opened.save_video(out / "own.mp4", orbit, on_progress=reports.append)
        opened.save_video(out / "double.mp4", orbit, fps=60)
        assert [shot.time for shot in orbit] == pytest.approx([frame / 30 for frame in range(FRAMES)])
    assert pictures(out / "own.mp4").shape == (FRAMES, 12, 16, 3)
    assert pictures(out / "double.mp4").shape == (2 * FRAMES, 12, 16, 3)
    assert [(report.done, report.total) for report in reports] == [(n + 1, FRAMES) for n in range(FRAMES)]
    assert str(reports[-1]) == "rendering: 100 %"


def test_a_camera_a_trajectory_and_shots_are_saved_as_they_are_rendered(clip: Path, out: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        camera = opened.cameras["cam05"].with_size(16, 12)
        expected = np.stack([opened.render(camera, frame=frame).numpy() for frame in range(FRAMES)])
        opened.save_video(out / "a_%d.png", camera)
        assert np.array_equal(numbered(out), expected)
        shots = [dynerf.Shot(camera, 3 / 30), dynerf.Shot(camera, 0.0)]
        opened.save_video(str(out / "b.mp4"), shots, fps=24)
        assert len(pictures(out / "b.mp4")) == 2
        still = dynerf.paths.still(opened, camera, frames=(1, 3), speed=0.5)
        assert [shot.time * 30 for shot in still] == pytest.approx([1, 1.5, 2, 2.5])
        spiral = dynerf.paths.spiral(opened, freeze=0.1, seconds=(0.0, 0.1))
        assert {shot.time for shot in spiral} == {0.1}


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_an_invalid_frame_rate_is_refused(clip: Path, out: Path, fps: float) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        for view in (opened.cameras[0], [dynerf.Shot(opened.cameras[0], 0.0)]):
            with pytest.raises(dynerf.ViewError):
                opened.save_video(out / "a.mp4", view, fps=fps)
    assert list(out.iterdir()) == []


def test_no_shots_and_shots_of_several_sizes_are_refused(clip: Path, out: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        camera = opened.cameras[0]
        mixed = [dynerf.Shot(camera, 0.0), dynerf.Shot(camera.with_size(8, 6), 0.0)]
        with pytest.raises(dynerf.ViewError, match=r"several sizes, expected all of 32x24"):
            opened.save_video(out / "a.mp4", mixed)
        with pytest.raises(dynerf.ViewError, match="no shots"):
            opened.save_video(out / "a.mp4", [])
    assert list(out.iterdir()) == []


def test_a_nerfstudio_path_is_followed(clip: Path, out: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        poses = [np.array(camera.to_nerfstudio()["transform_matrix"]) for camera in opened.cameras]
        entries = [{"camera_to_world": pose.ravel().tolist(), "fov": 50} for pose in poses]
        (out / "path.json").write_text(json.dumps({"camera_path": entries, "fps": 10}))
        path = dynerf.paths.from_nerfstudio(opened, out / "path.json")
        for shot, camera in zip(path, opened.cameras, strict=True):
            np.testing.assert_allclose(shot.camera.camera_to_world, camera.camera_to_world, atol=1e-6)


def test_encode_writes_what_the_command_writes(clip: Path, scene: Path, out: Path) -> None:
    before = torch.get_num_threads()
    reports: list[dynerf.Progress] = []
    result = dynerf.encode(
        str(scene), out / "clip.dnv", device="cpu", threads=1, on_progress=reports.append,
        settings=["schedule.keyframes=fixed", "schedule.keyframe_interval=5", *SETTINGS],
    )  # fmt: skip
    assert result.path == out / "clip.dnv"
    assert result.path.read_bytes() == clip.read_bytes()
    assert result.bytes == clip.stat().st_size
    assert result.psnr == pytest.approx(dynerf.info(clip).quality["held_out_psnr"], abs=1e-4)
    assert torch.get_num_threads() == before
    tasks = {report.task for report in reports}
    assert {"message", "decoding videos", "training"} <= tasks
    last = [report for report in reports if report.task == "training"][-1]
    assert (last.done, last.total) == (1, 1)
    assert last.metrics["step"] == result.steps
    assert {"loss", "psnr", "held_out_psnr", "rays_per_second", "seconds"} <= last.metrics.keys()
    assert str(last).startswith("training: 100 %, ist, train ")


def test_encode_refuses_invalid_options_and_leaves_no_files(scene: Path, out: Path) -> None:
    for options, error, message in (
        (
            {"preset": "slow"},
            dynerf.ConfigError,
            "preset 'slow': expected one of preview, balanced, fast, paper",
        ),
        ({"field": "nerf"}, dynerf.ConfigError, "field 'nerf': expected planes or mlp"),
        ({"space": "sphere"}, dynerf.ConfigError, "space 'sphere': expected auto, perspective or box"),
        ({"quality": 11}, dynerf.ConfigError, "quality: found 11, expected 1 to 10"),
        (
            {"target_size": "2MX"},
            dynerf.ConfigError,
            "target_size '2MX': expected a size such as 500kB or 2MB",
        ),
        ({"quality": 5, "target_size": 9000}, dynerf.ConfigError, "both given"),
        ({"settings": ["planes.scale=8"]}, dynerf.ConfigError, "unknown setting planes.scale"),
        ({"frames": "5"}, dynerf.ConfigError, "frames '5': expected A:B"),
        ({"hold_out": "cam99"}, dynerf.ViewError, "no view 'cam99'"),
        ({"resume": True, "segment": "0f"}, dynerf.ConfigError, "segment 0f"),
        ({"workers": 0}, dynerf.ConfigError, "workers 0: expected 1 to 1024"),
    ):
        with pytest.raises(error, match=message.replace("(", r"\(")):
            dynerf.encode(scene, out / "clip.dnv", device="cpu", **options)
    with pytest.raises(dynerf.ConfigError, match=r"expected a name that ends in \.dnv"):
        dynerf.encode(scene, out / "clip.mp4")
    with pytest.raises(dynerf.CaptureError, match="does not exist"):
        dynerf.encode(scene / "no", out / "clip.dnv", device="cpu")
    assert list(out.iterdir()) == []


def test_encode_refuses_a_work_folder_in_use(scene: Path, out: Path) -> None:
    with (
        folder_lock(out / "work"),
        pytest.raises(dynerf.OutputError, match="another encode is using this folder"),
    ):
        dynerf.encode(scene, out / "clip.dnv", device="cpu", cache=out / "work")
    assert list(out.iterdir()) == []


def test_evaluate_takes_a_path_or_an_open_clip(clip: Path, scene: Path, out: Path) -> None:
    reports: list[dynerf.Progress] = []
    result = dynerf.evaluate(
        str(clip), str(scene), device="cpu", every=3, report=out / "page", on_progress=reports.append
    )
    assert (out / "page" / "index.html").is_file()
    assert [(report.task, report.done, report.total) for report in reports] == [
        ("comparing", 1, 2), ("comparing", 2, 2),
    ]  # fmt: skip
    with dynerf.open(clip, device="cpu") as opened:
        again = dynerf.evaluate(opened, scene, every=3, views="cam00")
        opened.render(opened.cameras[0], frame=0)  # it is still open
    assert again.frames == result.frames
    assert result.psnr == pytest.approx(np.mean([score.psnr for score in result.frames]))


def test_info_is_what_the_command_prints(clip: Path) -> None:
    info = dynerf.info(clip)
    printed = json.loads(done("info", clip, "--json").out)
    assert (info.frames, info.fps, info.bytes) == (FRAMES, 30, clip.stat().st_size)
    assert [camera.name for camera in info.cameras] == ["cam00", "cam02", "cam05"]
    assert printed["cameras"][0] == {"name": "cam00", "width": WIDTH, "height": HEIGHT, "role": "held_out"}
    assert printed.keys() == {field.name for field in fields(info)} - {"sha256", "chunks_checked"}
    assert dynerf.info(clip, check=True).sha256 == clip.read_bytes()[-32:].hex()
    with pytest.raises(dynerf.FormatError, match="no such file"):
        dynerf.info(clip.with_name("nothing.dnv"))
