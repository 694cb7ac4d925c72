"""The frame store: exact pictures, reuse, bounded memory, and failures that leave no partial files."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.video import decode
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.ingest.box_average import box_average
from dynerf_format.errors import CaptureError, ConfigError, OutputError
from dynerf_format.frame_range import FrameRange
from support.full_disk import files_of_at_most
from support.video import ROOT, flat_pictures, noisy_pictures, pose_row, run_child, write_capture, write_video

_ALL = FrameRange()


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Three cameras, 6 frames of 32x24; camera i starts with grey 16 + 40 * i, 4 levels more per frame."""
    return read_n3v(write_capture(tmp_path / "scene"))


class _Progress:
    """Records what a build reported."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


def _build(capture: Capture, folder: Path, frames: FrameRange = _ALL, downscale: int = 1) -> int:
    """Build and return how many frames were decoded."""
    progress = _Progress()
    FrameStore.build(capture, folder, frames=frames, downscale=downscale, progress=progress)
    return len(progress.calls)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestPictures:
    def test_every_view_and_frame_holds_the_picture_of_its_video(
        self, capture: Capture, tmp_path: Path
    ) -> None:
        store = FrameStore.build(capture, tmp_path / "store", frames=_ALL)
        assert (store.names, store.frames, store.height, store.width) == (capture.names, 6, 24, 32)
        assert (store.fps, store.first_source_frame) == (capture.fps, 0)
        assert (store.near, store.far) == ((0.5,) * 3, (8.0,) * 3)
        for index in range(3):
            pictures = store.view(index)
            assert pictures.dtype == np.uint8
            assert pictures.shape == (6, 24, 32, 3)
            assert np.abs(pictures.astype(int) - flat_pictures(6, offset=40 * index)).max() <= 1

    def test_a_range_starts_at_its_first_frame(self, capture: Capture, tmp_path: Path) -> None:
        store = FrameStore.build(capture, tmp_path / "store", frames=FrameRange(2, 5))
        assert (store.frames, store.first_source_frame) == (3, 2)
        assert np.abs(store.view(1).astype(int) - flat_pictures(6, offset=40)[2:5]).max() <= 1

    def test_pictures_cannot_be_written_to(self, capture: Capture, tmp_path: Path) -> None:
        store = FrameStore.build(capture, tmp_path / "store", frames=_ALL)
        with pytest.raises(ValueError, match="read-only"):
            store.view(0)[0, 0, 0, 0] = 1

    def test_gather_reads_the_same_pixels_as_indexing(self, tmp_path: Path) -> None:
        folder = write_capture(tmp_path / "scene")
        for index, name in enumerate(("cam00", "cam02", "cam05")):
            write_video(folder / f"{name}.mp4", noisy_pictures(6, 32, 24, seed=index))
        store = FrameStore.build(read_n3v(folder), tmp_path / "store", frames=_ALL)
        rng = np.random.default_rng(0)
        views, frames, pixels = (rng.integers(0, size, 500) for size in (3, 6, 32 * 24))
        slow = [store.view(v)[t, p // 32, p % 32] for v, t, p in zip(views, frames, pixels, strict=True)]
        np.testing.assert_array_equal(store.gather(views, frames, pixels), slow)
        only_one = np.full(500, 1, np.int32)
        np.testing.assert_array_equal(
            store.gather(only_one, frames, pixels), store.view(1).reshape(6, -1, 3)[frames, pixels]
        )

    def test_gathering_nothing_gives_nothing(self, capture: Capture, tmp_path: Path) -> None:
        none = np.zeros(0, np.int64)
        store = FrameStore.build(capture, tmp_path / "store", frames=_ALL)
        assert store.gather(none, none, none).shape == (0, 3)

    @pytest.mark.parametrize(
        ("view", "frame", "pixel"), [(3, 0, 0), (0, 6, 0), (0, 0, 768), (-1, 0, 0), (0, 0, -1)]
    )
    def test_gather_refuses_indices_outside_the_store(
        self, capture: Capture, tmp_path: Path, view: int, frame: int, pixel: int
    ) -> None:
        store = FrameStore.build(capture, tmp_path / "store", frames=_ALL)
        with pytest.raises(IndexError, match="expected 0 to"):
            store.gather(np.array([view]), np.array([frame]), np.array([pixel]))


class TestAveraging:
    @pytest.mark.parametrize("factor", [1, 2, 3, 5, 17])
    def test_the_mean_is_exact_but_for_rounding(self, factor: int) -> None:
        picture = np.random.default_rng(0).integers(0, 256, (53, 71, 3), dtype=np.uint8)
        picture[:20] = 255
        averaged = box_average(picture, factor)
        assert averaged.shape == (53 // factor, 71 // factor, 3)
        for row, column in np.ndindex(averaged.shape[:2]):
            block = picture[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            assert np.abs(averaged[row, column] - block.mean(axis=(0, 1))).max() <= 0.5

    def test_stored_pictures_and_cameras_shrink_together(self, tmp_path: Path) -> None:
        folder = write_capture(tmp_path / "scene", width=50, height=38)
        write_video(folder / "cam02.mp4", noisy_pictures(6, 50, 38))
        capture = read_n3v(folder)
        store = FrameStore.build(capture, tmp_path / "store", frames=_ALL, downscale=4)
        assert (store.height, store.width) == (9, 12)
        camera, full = store.cameras[1], capture.views[1].camera
        assert (camera.width, camera.height, camera.focal_x) == (12, 9, full.focal_x / 4)
        for stored, picture in zip(store.view(1), decode(folder / "cam02.mp4", range(6)), strict=True):
            np.testing.assert_array_equal(stored, box_average(picture, 4))

    @pytest.mark.parametrize("factor", [0, -2, 25])
    def test_averaging_that_leaves_no_picture_is_refused(
        self, capture: Capture, tmp_path: Path, factor: int
    ) -> None:
        with pytest.raises(ConfigError, match=f"downscale {factor}"):
            _build(capture, tmp_path / "store", downscale=factor)
        assert not (tmp_path / "store").exists()


class TestReuse:
    def test_a_second_build_decodes_and_writes_nothing(self, capture: Capture, tmp_path: Path) -> None:
        store = tmp_path / "store"
        assert _build(capture, store) == 18
        before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
        assert _build(capture, store) == 0
        assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before

    def test_progress_counts_up_to_the_total(self, capture: Capture, tmp_path: Path) -> None:
        progress = _Progress()
        FrameStore.build(capture, tmp_path / "store", frames=FrameRange(1, 4), progress=progress)
        assert progress.calls == [(done, 9) for done in range(1, 10)]

    def test_a_changed_video_redoes_only_its_view(self, capture: Capture, tmp_path: Path) -> None:
        store = tmp_path / "store"
        _build(capture, store)
        before = (store / "cam00.rgb").stat().st_mtime_ns
        write_video(capture.root / "cam02.mp4", flat_pictures(6, offset=100))
        assert _build(capture, store) == 6
        assert (store / "cam00.rgb").stat().st_mtime_ns == before
        pictures = FrameStore.build(capture, store, frames=_ALL).view(1)
        assert np.abs(pictures.astype(int) - flat_pictures(6, offset=100)).max() <= 1

    def test_a_copied_capture_needs_no_decoding(self, capture: Capture, tmp_path: Path) -> None:
        _build(capture, tmp_path / "store")
        capture.root.rename(tmp_path / "elsewhere")
        assert _build(read_n3v(tmp_path / "elsewhere"), tmp_path / "store") == 0

    @pytest.mark.parametrize(
        "options", [{"frames": FrameRange(0, 5)}, {"frames": FrameRange(1)}, {"downscale": 2}]
    )
    def test_another_range_or_averaging_redoes_all(
        self, capture: Capture, tmp_path: Path, options: dict[str, object]
    ) -> None:
        _build(capture, tmp_path / "store")
        assert _build(capture, tmp_path / "store", **options) in (15, 18)  # type: ignore[arg-type]

    @pytest.mark.parametrize("size", [0, 1, 6 * 24 * 32 * 3 - 1, 6 * 24 * 32 * 3 + 1])
    def test_a_raw_file_of_another_size_is_redone(self, capture: Capture, tmp_path: Path, size: int) -> None:
        _build(capture, tmp_path / "store")
        os.truncate(tmp_path / "store" / "cam05.rgb", size)
        assert _build(capture, tmp_path / "store") == 6
        assert _build(capture, tmp_path / "store") == 0

    @pytest.mark.parametrize(
        "manifest",
        [
            "",
            "{",
            "[]",
            "null",
            '{"views": 3}',
            '{"views": {"cam00": []}}',
            "[" * 100_000,
            "\xff" * 9,
            "9" * 5_000,
        ],
    )
    def test_a_malformed_manifest_counts_as_nothing_stored(
        self, capture: Capture, tmp_path: Path, manifest: str
    ) -> None:
        _build(capture, tmp_path / "store")
        (tmp_path / "store" / "store.json").write_text(manifest, encoding="latin-1")
        assert _build(capture, tmp_path / "store") == 18

    @pytest.mark.parametrize(
        ("key", "value"), [("frames", 10**9), ("height", "24"), ("video_sha256", None), ("conversion", -1)]
    )
    def test_a_forged_entry_redoes_its_view(
        self, capture: Capture, tmp_path: Path, key: str, value: object
    ) -> None:
        _build(capture, tmp_path / "store")
        path = tmp_path / "store" / "store.json"
        manifest = json.loads(path.read_text())
        manifest["views"]["cam02"][key] = value
        path.write_text(json.dumps(manifest))
        assert _build(capture, tmp_path / "store") == 6

    def test_symlinks_in_the_folder_are_replaced_not_followed(self, capture: Capture, tmp_path: Path) -> None:
        _build(capture, tmp_path / "store")
        for name in ("cam00.rgb", "store.json"):
            path = tmp_path / "store" / name
            path.rename(tmp_path / name)
            path.symlink_to(tmp_path / name)
        before = (tmp_path / "store.json").read_bytes()
        assert _build(capture, tmp_path / "store") == 18
        assert (tmp_path / "store.json").read_bytes() == before
        assert not (tmp_path / "store" / "cam00.rgb").is_symlink()

    def test_temporary_files_of_killed_builds_are_removed_and_those_of_running_ones_kept(
        self, capture: Capture, tmp_path: Path
    ) -> None:
        store = tmp_path / "store"
        store.mkdir()
        killed, running = store / ".cam00.tmp-99999999-0a.rgb", store / f".cam00.tmp-{os.getpid()}-0a.rgb"
        killed.touch()
        running.touch()
        _build(capture, store)
        assert (killed.exists(), running.exists()) == (False, True)


class TestFingerprint:
    def test_it_is_the_same_for_the_same_pictures_and_poses(self, capture: Capture, tmp_path: Path) -> None:
        stores = [FrameStore.build(capture, tmp_path / name, frames=_ALL) for name in ("a", "b", "a")]
        assert len({store.fingerprint for store in stores}) == 1

    def test_it_changes_with_videos_poses_range_and_averaging(self, capture: Capture, tmp_path: Path) -> None:
        def build(frames: FrameRange = _ALL, downscale: int = 1) -> str:
            current = read_n3v(capture.root)
            store = FrameStore.build(current, tmp_path / "store", frames=frames, downscale=downscale)
            return store.fingerprint

        prints = [build(), build(FrameRange(0, 5)), build(downscale=2)]
        rows = np.load(capture.root / "poses_bounds.npy")
        rows[1] = pose_row(np.eye(3, 4), 24, 32, 40, 0.5, 8)
        np.save(capture.root / "poses_bounds.npy", rows)
        prints.append(build())
        rows[1, 16] = 9
        np.save(capture.root / "poses_bounds.npy", rows)
        prints.append(build())
        write_video(capture.root / "cam05.mp4", flat_pictures(6, offset=1))
        prints.append(build())
        assert len(set(prints)) == len(prints)


class TestFailure:
    def test_a_truncated_video_is_named_with_the_frame_where_it_stopped(self, tmp_path: Path) -> None:
        folder = write_capture(tmp_path / "scene", frames=30)
        path = write_video(folder / "cam02.mp4", noisy_pictures(30, 32, 24))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        with pytest.raises(CaptureError, match=r"cam02\.mp4: decoded 1\d of 30 frames, then stopped"):
            _build(read_n3v(folder), tmp_path / "store")
        assert _names(tmp_path / "store") == ["cam00.rgb", "store.json"]

    def test_after_the_video_was_repaired_finished_views_are_kept(self, tmp_path: Path) -> None:
        folder = write_capture(tmp_path / "scene")
        sound = (folder / "cam02.mp4").read_bytes()
        capture = read_n3v(folder)
        (folder / "cam02.mp4").write_bytes(sound[:-40])
        with pytest.raises(CaptureError, match=r"cam02\.mp4"):
            _build(capture, tmp_path / "store")
        (folder / "cam02.mp4").write_bytes(sound)
        assert _build(capture, tmp_path / "store") == 12

    def test_a_video_that_was_removed_or_replaced(self, capture: Capture, tmp_path: Path) -> None:
        write_video(capture.root / "cam02.mp4", flat_pictures(6, 64, 48))
        with pytest.raises(CaptureError, match=r"cam02\.mp4: a picture of 64x48, expected 32x24"):
            _build(capture, tmp_path / "store")
        (capture.root / "cam02.mp4").unlink()
        with pytest.raises(CaptureError, match=r"cam02\.mp4: cannot be read: No such file"):
            _build(capture, tmp_path / "store")

    def test_frames_beyond_the_clip(self, capture: Capture, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="frames 3:9 requested, the clip has frames 0:6"):
            _build(capture, tmp_path / "store", FrameRange(3, 9))

    def test_an_interrupted_build_leaves_no_half_written_view(self, capture: Capture, tmp_path: Path) -> None:
        def interrupt(done: int, _total: int) -> None:
            if done == 9:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            FrameStore.build(capture, tmp_path / "store", frames=_ALL, progress=interrupt)
        assert _names(tmp_path / "store") == ["cam00.rgb", "store.json"]

    def test_a_file_instead_of_the_folder(self, capture: Capture, tmp_path: Path) -> None:
        (tmp_path / "store").touch()
        with pytest.raises(OutputError, match="store: cannot store pictures there: File exists"):
            _build(capture, tmp_path / "store")

    def test_too_little_disk_space_is_found_before_decoding(
        self, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _build(capture, tmp_path / "store")
        monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1000))
        with pytest.raises(
            OutputError, match=r"store: the decoded pictures need 17 MB there, .* MB are free"
        ):
            _build(capture, tmp_path / "store", downscale=2)
        monkeypatch.undo()
        assert _build(capture, tmp_path / "store") == 0  # the stored views are still there

    def test_a_full_disk_is_one_clear_error_and_leaves_no_half_written_view(self, tmp_path: Path) -> None:
        capture = read_n3v(write_capture(tmp_path / "scene", frames=40, width=64, height=48))
        with files_of_at_most(200_000), pytest.raises(OutputError) as caught:
            _build(capture, tmp_path / "store")
        assert str(caught.value) == f"{tmp_path / 'store' / 'cam00.rgb'}: cannot be written: File too large"
        assert _names(tmp_path / "store") == ["store.json"]


_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from dynerf_format.frame_range import FrameRange
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
folder, store, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
store = FrameStore.build(read_n3v(folder), store, frames=FrameRange())
size = sum(store.view(index).nbytes for index in range(len(store.names)))
rng = np.random.default_rng(0)
for _ in range(100):
    sizes = (len(store.names), store.frames, store.height * store.width)
    store.gather(*(rng.integers(0, n, 4096) for n in sizes))
print(size, store.view(2)[-1].mean())
try:
    np.ones(size // 2, np.uint8)
except MemoryError:
    print("the limit holds")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_store_much_larger_than_memory_is_built_and_read(tmp_path: Path) -> None:
    folder = write_capture(tmp_path / "scene", frames=240, width=320, height=240)
    done = run_child(_LITTLE_MEMORY, folder, tmp_path / "store", 64 * 2**20)
    assert done.stderr == ""
    size, mean, *limit = done.stdout.split(maxsplit=2)
    assert int(size) == 3 * 240 * 240 * 320 * 3  # 166 MB, 2.5 times the memory limit
    assert float(mean) == pytest.approx(flat_pictures(240, 1, 1, 80)[-1].mean(), abs=1)
    assert limit == ["the limit holds\n"]


def test_the_bundled_capture_is_stored_as_decoded(tmp_path: Path) -> None:
    capture = read_n3v(ROOT / "samples" / "candle")
    store = FrameStore.build(capture, tmp_path, frames=FrameRange(10, 13), downscale=2)
    assert (len(store.names), store.frames, store.height, store.width) == (13, 3, 96, 128)
    picture = next(decode(capture.view("cam07").video, range(12, 13)))
    np.testing.assert_array_equal(store.view(7)[2], box_average(picture, 2))
    assert picture.std() > 20


@pytest.mark.skipif("DYNERF_BASKETBALL" not in os.environ, reason="DYNERF_BASKETBALL names no folder")
def test_a_real_capture_is_stored(tmp_path: Path) -> None:
    capture = read_n3v(Path(os.environ["DYNERF_BASKETBALL"]))
    store = FrameStore.build(capture, tmp_path, frames=FrameRange(0, 2), downscale=4)
    assert (len(store.names), store.frames, store.height, store.width) == (30, 2, 67, 120)
    assert all(store.view(index).std() > 20 for index in range(30))
