"""``dynerf eval``: it reproduces the encoder's metrics from the file and refuses other captures."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

import dynerf
from dynerf.cli.main import main
from dynerf_encoder.evaluation.evaluate import Evaluation, evaluate
from dynerf_format.errors import CaptureError, ConfigError, ViewError
from dynerf_format.frame_range import FrameRange
from support.encoding import (
    FRAMES,
    HEIGHT,
    WIDTH,
    contents,
    one_thread,
    scene_pictures,
    scene_poses,
    shared_clip,
    tiny_encode,
    tiny_job,
    write_scene,
)
from support.video import write_video


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_clip(tmp_path_factory)


@pytest.fixture(scope="module")
def capture(encoded: Path) -> Path:
    return encoded.with_name("scene")


def _stored_psnr(clip: Path) -> float:
    """What the encoder measured."""
    psnr: float = contents(clip)[0].quality["held_out_psnr"]
    return psnr


def _evaluated(clip: Path, capture: Path, **options: Any) -> Evaluation:
    with one_thread(), dynerf.open(clip, device="cpu") as opened:
        return evaluate(opened, capture, **options)


def _command(*arguments: object) -> int:
    with one_thread():
        return main(["eval", *map(str, arguments)])


class TestCommand:
    def test_json_equals_the_encoders_metrics(
        self, encoded: Path, capture: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _command(encoded, capture, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["psnr"] == pytest.approx(_stored_psnr(encoded), abs=1e-3)
        assert found["views"] == ["cam00"]
        assert [(score["view"], score["frame"]) for score in found["frames"]] == [
            ("cam00", frame) for frame in range(FRAMES)
        ]
        assert found["psnr"] == pytest.approx(np.mean([score["psnr"] for score in found["frames"]]))
        assert found["ssim"] == pytest.approx(np.mean([score["ssim"] for score in found["frames"]]))

    def test_cameras_with_different_start_times_are_compared_at_the_same_instants(
        self, encoded: Path, capture: Path, tmp_path: Path
    ) -> None:
        for index, pose in enumerate(scene_poses(4)):
            pictures = scene_pictures(pose, FRAMES, WIDTH, HEIGHT)
            times = range(2, 2 + FRAMES)
            if index:  # these started two frames earlier
                pictures, times = np.concatenate([255 - pictures[:2], pictures]), range(FRAMES + 2)
            write_video(tmp_path / f"cam{index:02d}.mp4", pictures, pixel_format="yuv444p", times=times)
        shutil.copy(capture / "poses_bounds.npy", tmp_path)
        for view in ("cam00", "cam01"):
            scores = [_evaluated(encoded, folder, views=[view]).psnr for folder in (capture, tmp_path)]
            assert scores[0] == pytest.approx(scores[1])

    def test_the_table_has_a_line_for_each_picture_and_the_means(
        self, encoded: Path, capture: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _command(encoded, capture, "--views", "cam01,cam00", "--every", "2") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in lines[1:7]] == [
            [view, str(frame)] for frame in (0, 2, 4) for view in ("cam01", "cam00")
        ]
        assert lines[7].startswith("mean of 6")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--views", "cam00,cam07"), "no view 'cam07' in the clip, there are cam00, cam01, cam02, cam03"),
            (("--views", ""), "no view ''"),
        ],
    )
    def test_unknown_views_end_with_status_2(
        self,
        encoded: Path,
        capture: Path,
        capsys: pytest.CaptureFixture[str],
        options: tuple[str, ...],
        message: str,
    ) -> None:
        assert _command(encoded, capture, *options) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"dynerf: error: {message}")


class TestMetrics:
    def test_compare_the_decoded_pictures_with_the_videos(self, encoded: Path, tmp_path: Path) -> None:
        # grey videos keep their values exactly
        scene = write_scene(tmp_path / "scene")
        grey = np.broadcast_to(np.arange(40, 40 + FRAMES)[:, None, None, None], (FRAMES, HEIGHT, WIDTH, 3))
        for name in ("cam00", "cam02"):
            write_video(scene / f"{name}.mp4", grey.astype(np.uint8))
        result = _evaluated(encoded, scene, views=["cam02", "cam00"])
        assert result.views == ("cam02", "cam00")
        with dynerf.open(encoded, device="cpu") as clip:
            cameras = {camera.name: camera for camera in clip.cameras}
            for score in result.frames:
                decoded = clip.render(cameras[score.view], frame=float(score.frame)).rgb.numpy()
                true = grey[score.frame] / 255
                error = np.mean((decoded.astype(np.float64) - true) ** 2)
                assert score.psnr == pytest.approx(-10 * np.log10(error), abs=1e-4)
                similarity = structural_similarity(  # type: ignore[no-untyped-call]
                    decoded.astype(np.float64), true, gaussian_weights=True, sigma=1.5,
                    use_sample_covariance=False, data_range=1, channel_axis=2,
                )  # fmt: skip
                assert score.ssim == pytest.approx(similarity, abs=1e-4)

    def test_are_of_all_views_when_none_was_held_out(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "all.dnv", "schedule.scale=0.1", hold_out=())
        result = _evaluated(tiny_encode(job).path, capture, every=4)
        assert result.views == ("cam00", "cam01", "cam02", "cam03")
        assert sorted({score.frame for score in result.frames}) == [0, 4]

    @pytest.mark.parametrize("downscale", [2, 3, 5, 7])
    def test_of_a_downscaled_clip_compare_with_downscaled_pictures(
        self, capture: Path, tmp_path: Path, downscale: int
    ) -> None:
        # 24 // 5 is 4, and so is 24 // 6: the size alone does not determine the factor
        result = tiny_encode(
            tiny_job(capture, tmp_path / "small.dnv", "schedule.scale=0.5", downscale=downscale)
        )
        found = _evaluated(result.path, capture)
        assert found.psnr == pytest.approx(result.psnr, abs=1e-3)
        assert found.ssim is None  # smaller than its window

    def test_of_a_part_of_the_capture_compare_with_that_part(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "part.dnv", "schedule.scale=2", frames=FrameRange(2, 5))
        result = tiny_encode(job)
        found = _evaluated(result.path, capture)
        assert found.psnr == pytest.approx(result.psnr, abs=1e-3)
        assert [score.frame for score in found.frames] == [0, 1, 2]
        first = scene_pictures(scene_poses(1)[0], 3, WIDTH, HEIGHT)
        other = write_scene(tmp_path / "scene")
        write_video(other / "cam00.mp4", np.concatenate([first[1:], first]), pixel_format="yuv444p")
        assert _evaluated(result.path, other).psnr != pytest.approx(result.psnr, abs=1e-3)

    def test_progress_counts_pictures(self, encoded: Path, capture: Path) -> None:
        calls: list[tuple[int, int]] = []
        _evaluated(encoded, capture, every=2, progress=lambda done, total: calls.append((done, total)))
        assert calls == [(1, 3), (2, 3), (3, 3)]


class TestWrongCapture:
    @pytest.mark.parametrize("column", [3, 8, 13])
    def test_other_poses_are_refused(self, encoded: Path, tmp_path: Path, column: int) -> None:
        scene = write_scene(tmp_path / "scene")
        rows = np.load(scene / "poses_bounds.npy")
        rows[0, column] += 0.01
        np.save(scene / "poses_bounds.npy", rows)
        with pytest.raises(CaptureError, match=rf"^{scene}: camera cam00 has another pose, lens or size"):
            _evaluated(encoded, scene)

    def test_a_rotated_camera_is_refused(self, encoded: Path, tmp_path: Path) -> None:
        scene = write_scene(tmp_path / "scene")
        rows = np.load(scene / "poses_bounds.npy")
        matrix = rows[0, :15].reshape(3, 5)  # a view
        angle = 0.01
        cos, sin = np.cos(angle), np.sin(angle)
        matrix[:, :3] = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ matrix[:, :3]
        np.save(scene / "poses_bounds.npy", rows)
        with pytest.raises(CaptureError, match="cam00 has another pose, lens or size"):
            _evaluated(encoded, scene)

    def test_another_focal_length_is_refused(self, encoded: Path, tmp_path: Path) -> None:
        scene = write_scene(tmp_path / "scene")
        rows = np.load(scene / "poses_bounds.npy")
        rows[:, 14] *= 1.05
        np.save(scene / "poses_bounds.npy", rows)
        with pytest.raises(CaptureError, match="cam00 has another pose, lens or size"):
            _evaluated(encoded, scene)

    def test_another_picture_size_is_refused(self, encoded: Path, tmp_path: Path) -> None:
        for width, height in ((36, 24), (30, 20)):
            scene = write_scene(tmp_path / f"{width}", width=width, height=height)
            with pytest.raises(CaptureError, match="cam00 has another pose, lens or size"):
                _evaluated(encoded, scene)

    def test_a_changed_view_that_is_not_compared_does_not_matter(self, encoded: Path, tmp_path: Path) -> None:
        scene = write_scene(tmp_path / "scene")
        rows = np.load(scene / "poses_bounds.npy")
        rows[2, 3] += 0.5
        np.save(scene / "poses_bounds.npy", rows)
        assert _evaluated(encoded, scene).psnr == pytest.approx(_stored_psnr(encoded), abs=1e-3)

    def test_one_with_fewer_frames_or_views_is_refused(self, encoded: Path, tmp_path: Path) -> None:
        short = write_scene(tmp_path / "short", frames=FRAMES - 1)
        with pytest.raises(CaptureError, match=f"frames 0:{FRAMES} requested"):
            _evaluated(encoded, short)
        few = write_scene(tmp_path / "few", cameras=3)
        with pytest.raises(ViewError, match="no view 'cam03'"):
            _evaluated(encoded, few, views=["cam03"])

    def test_an_invalid_step_is_refused(self, encoded: Path, capture: Path) -> None:
        with pytest.raises(ConfigError, match="--every 0"):
            _evaluated(encoded, capture, every=0)
