"""The same encode on each device: what a GPU trains, a CPU decodes, and the other way round."""

from pathlib import Path

import numpy as np
import pytest

import dynerf
from dynerf_encoder.config.schema import FieldKind
from support.device import DEVICES
from support.encoding import Notes, tiny_config, tiny_encode, tiny_job, write_scene


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_an_encode_on_a_device_is_decoded_on_both(tmp_path: Path, device: str, kind: FieldKind) -> None:
    notes = Notes()
    config = tiny_config(kind=kind)
    job = tiny_job(write_scene(tmp_path / "scene"), tmp_path / "a.dnv", config=config, device=device)
    result = tiny_encode(job, notes)
    assert notes.reports
    assert all(np.isfinite(report.loss) for report in notes.reports)
    assert result.psnr is not None
    reported = any("GPU" in text for text in notes.messages)
    assert reported is (device == "cuda"), "reports where the pictures are stored"
    with (
        dynerf.open(result.path, device="cpu") as on_cpu,
        dynerf.open(result.path, device=device) as on_device,
    ):
        expected = on_cpu.render(on_cpu.cameras[0], frame=1.5, plain=True)
        for plain in (True, False):
            found = on_device.render(on_device.cameras[0], frame=1.5, plain=plain)
            assert found.rgb.device.type == device
            assert float((found.rgb.cpu() - expected.rgb).square().mean()) < 10**-4.5
            assert np.abs(found.numpy().astype(int) - expected.numpy()).mean() < 1
