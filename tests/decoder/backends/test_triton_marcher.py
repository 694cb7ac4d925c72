"""The Triton kernel agrees with torch, interpreted or on a GPU; it compiles; torch is the fallback."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dynerf_decoder.backends.triton import triton_marcher
from dynerf_decoder.backends.triton.triton_marcher import TritonMarcher
from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.fields.planes import FoldedPlanesModel, PlanesModel, PlanesSettings
from dynerf_decoder.kernels.records import Bounds
from dynerf_decoder.render.frame import render_frame
from dynerf_decoder.render.reference import render_rays
from dynerf_decoder.render.volume_rendering import median_position
from dynerf_decoder.scene.contraction import RayIntervals, Space
from dynerf_decoder.scene.ray_sampling import Sampling

_GPU = torch.cuda.is_available()
if not _GPU:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when kernels are defined
pytestmark = [pytest.mark.gpu] if _GPU else []
_INSTALLED = importlib.util.find_spec("triton") is not None
_DEVICE = "cuda" if _GPU else "cpu"
needs_triton = pytest.mark.skipif(not _INSTALLED, reason="Triton is not installed")

_BOUNDS = Bounds(np.float32(-1), np.float32(-10), np.float32(8))
_SMALL = PlanesSettings(latent=4, scales=(8, 16), channels=4, basis=(2, 2), coarse_scale=8)
_ODD = PlanesSettings(
    latent=4, scales=(8, 5, 2, 16), channels=12, basis=(2, 0, 2, 1), hidden=30, view_features=2,
    coarse_scale=6, coarse_channels=3, coarse_hidden=9,
)  # fmt: skip
_SPACE = Space.box(-np.ones(3), np.ones(3), near=0.0)
_CAMERA = Camera(
    "a", 16, 12, 10.0, 10.0, 8.0, 6.0, np.concatenate([np.eye(3), [[0.0], [0.0], [3.0]]], axis=1)
)


@dataclass
class Scene:
    """A folded model with dense and empty regions, and rays of which some miss it."""

    folded: FoldedPlanesModel
    intervals: RayIntervals
    directions: Tensor

    def marched(
        self,
        sampling: Sampling,
        precision: torch.dtype,
        min_transmittance: float,
        coarse_min_transmittance: float,
    ) -> tuple[Tensor, Tensor]:
        """Colours and depths of the kernel."""
        marcher = TritonMarcher.of(self.folded.coarse.stack, self.folded.fine.stack, _BOUNDS, precision)
        assert marcher is not None
        marched = marcher(
            self.intervals, sampling.coarse, sampling.fine, min_transmittance, coarse_min_transmittance
        )
        assert marched is not None
        return self.folded.fine.shade(marched[0], self.directions) * self.intervals.hit.unsqueeze(
            -1
        ), marched[1]


def _scene(settings: PlanesSettings) -> Scene:
    torch.manual_seed(2)
    model = PlanesModel(settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        folded = model.to(_DEVICE).fold(torch.randn(1, 4).to(_DEVICE))
    assert isinstance(folded, FoldedPlanesModel)
    origins, directions = (each.unsqueeze(0) for each in camera_rays(_CAMERA, _DEVICE))
    intervals = _SPACE.clip(origins, directions)
    assert 0 < int(intervals.hit.sum()) < intervals.hit.numel()
    return Scene(folded, intervals, directions)


@pytest.fixture(autouse=True)
def _reset_failure() -> Iterator[None]:
    triton_marcher.FAILURE.failed = False
    with torch.no_grad():
        yield
    triton_marcher.FAILURE.failed = False


@needs_triton
class TestKernel:
    @pytest.mark.parametrize(
        ("settings", "samples"),
        [(_SMALL, (5, 3)), (_SMALL, (8, 7)), (_ODD, (9, 4))],
        ids=["small", "even", "odd"],
    )
    def test_without_early_termination_it_equals_the_reference(
        self, settings: PlanesSettings, samples: tuple[int, int]
    ) -> None:
        scene, sampling = _scene(settings), Sampling(*samples, union=False)
        expected = render_rays(scene.folded.plain(), scene.intervals, scene.directions, sampling)
        rgb, medians = scene.marched(sampling, torch.float32, -1.0, -1.0)
        torch.testing.assert_close(rgb, expected.rgb, rtol=0, atol=2e-4)
        depths, hit = median_position(expected.weights, expected.edges), scene.intervals.hit
        torch.testing.assert_close(medians[hit], depths[hit], rtol=0, atol=1e-4)
        assert not rgb[~hit].any()
        assert not medians[~hit].any()

    def test_half_precision_and_early_termination_stay_within_45_db(self) -> None:
        scene, sampling = _scene(_SMALL), Sampling(8, 6, union=False)
        expected = render_rays(scene.folded.plain(), scene.intervals, scene.directions, sampling).rgb
        rgb, _ = scene.marched(sampling, torch.float16, 0.05, 1e-3)
        assert float(expected.std()) > 0.02, "the picture is not uniform"
        assert 0 < float((rgb - expected).square().mean()) < 10**-4.5

    def test_a_ray_does_not_depend_on_its_neighbours(self) -> None:
        scene, sampling = _scene(_SMALL), Sampling(8, 6, union=False)
        rgb, _ = scene.marched(sampling, torch.float16, 0.5, 0.1)
        some = torch.arange(100, 107, device=_DEVICE)
        alone = Scene(scene.folded, scene.intervals.pick(some), scene.directions[:, some])
        torch.testing.assert_close(
            alone.marched(sampling, torch.float16, 0.5, 0.1)[0], rgb[:, some], rtol=0, atol=1e-6
        )

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers too large for half precision
    def test_nan_weights_read_nothing_outside(self) -> None:
        scene, sampling = _scene(_SMALL), Sampling(5, 3, union=False)
        scene.folded.coarse.stack.planes[0][:, 0, 2:5] = torch.nan
        scene.folded.fine.stack.planes[1][:, :, 3:9] = torch.inf
        _, medians = scene.marched(sampling, torch.float16, 0.05, 1e-3)
        assert ((medians >= 0) & (medians <= 1)).all()

    def test_pictures_are_rendered_by_the_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene, sampling = _scene(_SMALL), Sampling(8, 6, union=False)
        expected = render_frame(scene.folded, _CAMERA, _SPACE, sampling, _DEVICE, plain=True)
        monkeypatch.setattr(triton_marcher, "can_use_triton", lambda _device: True)
        by_kernel = _scene(_SMALL)
        picture = render_frame(by_kernel.folded, _CAMERA, _SPACE, sampling, _DEVICE)
        assert isinstance(by_kernel.folded._triton_marcher, TritonMarcher)
        assert not triton_marcher.FAILURE.failed
        assert 0 < float((picture.rgb - expected.rgb).square().mean()) < 10**-4.5

    @pytest.mark.skipif(_GPU, reason="the kernel is compiled for this GPU anyway")
    def test_it_compiles_for_an_absent_gpu(self) -> None:
        """Interpreted kernels are plain Python; this tests that the compiler accepts them too."""
        import subprocess
        import sys

        environment = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run(
            [sys.executable, "-m", "support.triton"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert "wgmma" in ran.stdout, "matrix products on tensor cores"


class TestFallback:
    def test_unsupported_sizes_are_left_to_torch(self) -> None:
        known = PlanesSettings(latent=4, scales=(8, 16), basis=(2, 2))
        many = replace(known, scales=(8, 9, 10, 11, 12), basis=(1,) * 5)
        for settings in (many, replace(known, channels=40), replace(known, scales=(1, 8))):
            with torch.no_grad():
                folded = PlanesModel(settings).fold(torch.zeros(1, 4))
            assert isinstance(folded, FoldedPlanesModel)
            assert TritonMarcher.of(folded.coarse.stack, folded.fine.stack, _BOUNDS) is None
            assert not triton_marcher.can_use_triton(torch.device("cpu"))

    def test_a_failing_kernel_is_logged_once_and_torch_renders(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def failing(*_arguments: object) -> tuple[Tensor, Tensor]:
            raise RuntimeError("no C compiler\nand details")

        scene, sampling = _scene(_SMALL), Sampling(8, 6, union=False)
        expected = render_frame(scene.folded, _CAMERA, _SPACE, sampling, _DEVICE, plain=True)
        monkeypatch.setattr(
            triton_marcher, "can_use_triton", lambda _device: not triton_marcher.FAILURE.failed
        )
        monkeypatch.setattr(TritonMarcher, "_launch", failing)
        for _ in range(2):
            frame = render_frame(_scene(_SMALL).folded, _CAMERA, _SPACE, sampling, _DEVICE)
            assert float((frame.rgb - expected.rgb).square().mean()) < 10**-4.5
        assert [record.getMessage() for record in caplog.records] == [
            "the Triton kernel cannot be used, torch renders instead: RuntimeError: no C compiler"
        ]
