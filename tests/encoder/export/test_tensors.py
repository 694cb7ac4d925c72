"""From model to file: rounding errors are bounded, and a decoder reads what the encoder measured."""

from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dynerf
from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.build import build_model, load_weights, settings_record
from dynerf_decoder.fields.field import Model
from dynerf_decoder.render.frame import render_frame
from dynerf_decoder.scene.contraction import Space
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.export.tensors import (
    dequantised_latents,
    layered_weights,
    make_chunks,
    make_header,
    plain_config,
    quantise_latents,
    quantise_model,
)
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_format import BytesSource, Header, QuantisedTensor, Reader, clip_bytes, write_clip
from support.encoding import scene_poses, tiny_config

_FRAMES = 5
_CAMERAS = [Camera(f"cam{i:02d}", 12, 8, 12.0, 12.0, 6.0, 4.0, pose) for i, pose in enumerate(scene_poses(3))]


def _space() -> Space:
    return choose_space(_CAMERAS, [2.0] * 3, [8.0] * 3)


def _model(config: Config, spread: float = 0.3) -> Model:
    """A model with random weights everywhere, also where training would start at zero."""
    settings = config.planes if config.field == "planes" else config.mlp
    model = build_model(config.field, settings_record(settings))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return model


def _latents(config: Config) -> torch.Tensor:
    size = config.planes.latent if config.field == "planes" else config.mlp.latent
    return torch.randn(_FRAMES, size, generator=torch.Generator().manual_seed(1))


def _header(config: Config, **changes: Any) -> Header:
    options: dict[str, Any] = {
        "cameras": _CAMERAS, "held_out": ("cam01",), "space": _space(), "fps": Fraction(30000, 1001),
        "frames": _FRAMES, "first_source_frame": 7, "job": {"seed": 3, "downscale": 2},
        "quality": {"held_out_psnr": 27.5, "steps": 100},
    }  # fmt: skip
    return make_header(config, **{**options, **changes})


def _values(model: Model) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}


def _step(tensor: QuantisedTensor) -> float:
    assert tensor.steps.shape == (1,)
    return float(tensor.steps[0])


@pytest.mark.parametrize("kind", ["planes", "mlp"])
class TestWeights:
    def test_are_off_by_half_a_step_at_most_and_planes_by_the_dead_zone_more(self, kind: FieldKind) -> None:
        model = _model(tiny_config(kind=kind))
        worst = 0.0
        for tensor in quantise_model(model, tiny_config().quantisation):
            value = _values(model)[tensor.name]
            error = np.abs(tensor.dequantise().astype(np.float64) - value).max() / _step(tensor)
            most = 0.62 if is_plane(tensor.name) else 0.5
            assert error <= most + 1e-4, tensor.name  # symbols up to 1000 are multiplied in float32
            worst = max(worst, error)
        assert worst > 0.49

    def test_get_the_configured_step(self, kind: FieldKind) -> None:
        model = _model(tiny_config(kind=kind))
        quantisation = replace(
            tiny_config().quantisation, planes=0.25, network=0.02, coarse=3.0, coarse_basis=2.0
        )
        steps = {tensor.name: _step(tensor) for tensor in quantise_model(model, quantisation)}
        assert any(map(is_plane, steps)) == (kind == "planes")
        for name, step in steps.items():
            rms = np.sqrt(np.mean(_values(model)[name].astype(np.float64) ** 2))
            factor = quantisation.coarse if name.startswith("coarse.") else 1.0
            factor *= quantisation.coarse_basis if name.startswith("coarse.basis.") else 1.0
            assert step == pytest.approx(factor * (0.25 if is_plane(name) else 0.02 * rms), rel=1e-6), name

    def test_travel_in_the_file_unchanged(self, kind: FieldKind) -> None:
        config = tiny_config(kind=kind)
        weights = quantise_model(_model(config), config.quantisation)
        groups = quantise_latents(_latents(config), config.quantisation, 2)
        reader = Reader(BytesSource(clip_bytes(_header(config), make_chunks(weights, groups))))
        found = reader.weights(0)
        assert list(found) == [tensor.name for tensor in weights]
        for tensor in weights:
            np.testing.assert_array_equal(found[tensor.name].dequantise(), tensor.dequantise())


class TestZeros:
    def test_tensors_of_zeros_stay_zeros(self) -> None:
        model = _model(tiny_config(), spread=0)
        for tensor in quantise_model(model, tiny_config().quantisation):
            assert not tensor.dequantise().any()

    def test_a_scale_without_basis_planes_leaves_no_tensor_and_can_be_loaded(self) -> None:
        config = tiny_config("planes.basis=2,0")
        model = _model(config)
        weights = {t.name: t.dequantise() for t in quantise_model(model, config.quantisation)}
        assert model.get_parameter("fine.basis.1").numel() == 0
        assert "fine.basis.0" in weights
        assert "fine.basis.1" not in weights
        other = _model(config, spread=0)
        load_weights(other, weights)
        for name, value in weights.items():
            np.testing.assert_array_equal(_values(other)[name], value)


class TestLatents:
    @pytest.mark.parametrize(("group", "firsts"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (5, [0]), (99, [0])])
    def test_are_cut_into_groups_that_join_to_the_whole(self, group: int, firsts: list[int]) -> None:
        quantisation = replace(tiny_config().quantisation, latents=0.05)
        latents = _latents(tiny_config())
        groups = quantise_latents(latents, quantisation, group)
        assert [first for first, _ in groups] == firsts
        joined = dequantised_latents(groups)
        assert joined.shape == latents.shape
        rms = float(latents.double().square().mean().sqrt())
        for _, tensor in groups:
            assert _step(tensor) == pytest.approx(0.05 * rms, rel=1e-6)  # one step for all groups
        error = float((joined.double() - latents).abs().max())
        assert 0 < error <= 0.05 * rms / 2 * (1 + 1e-5)

    def test_a_reader_finds_those_of_any_frame(self) -> None:
        config = tiny_config()
        groups = quantise_latents(_latents(config), config.quantisation, 2)
        chunks = make_chunks(quantise_model(_model(config), config.quantisation), groups)
        reader = Reader(BytesSource(clip_bytes(_header(config), chunks)))
        for frame in range(_FRAMES):
            np.testing.assert_array_equal(reader.latents(frame, 1)[0], dequantised_latents(groups)[frame])


class TestHeader:
    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_records_the_effective_configuration(self, kind: FieldKind) -> None:
        config = tiny_config("schedule.scale=0.5", "planes.scales=8,12", kind=kind)
        found = _header(config).config
        assert found["job"] == {"seed": 3, "downscale": 2}
        assert (found["preset"], found["field"]) == ("preview", kind)
        for section in ("schedule", "optimiser", "importance", "quantisation", "sampling"):
            assert found[section] == asdict(getattr(config, section))
        assert ("planes" in found, "mlp" in found) == (kind == "planes", kind == "mlp")
        assert found[kind] == settings_record(getattr(config, kind))

    def test_configuration_survives_the_file_and_is_plain(self) -> None:
        config = tiny_config()
        chunks = make_chunks(
            quantise_model(_model(config), config.quantisation),
            quantise_latents(_latents(config), config.quantisation, 2),
        )
        header = _header(config)
        assert Reader(BytesSource(clip_bytes(header, chunks))).header == header
        assert plain_config(config)["planes"]["scales"] == [8, 12]

    def test_describes_clip_cameras_space_and_sampling(self) -> None:
        config = tiny_config()
        header = _header(config)
        assert (header.fps, header.frames, header.first_source_frame) == (Fraction(30000, 1001), _FRAMES, 7)
        assert [camera.role for camera in header.cameras] == ["training", "held_out", "training"]
        for record, camera in zip(header.cameras, _CAMERAS, strict=True):
            assert (record.name, record.width, record.height) == (camera.name, 12, 8)
            pose = np.reshape(record.camera_to_world, (3, 4))
            np.testing.assert_array_equal(pose[:, 3], camera.camera_to_world[:, 3])
            np.testing.assert_array_equal(pose[:, :3], camera.camera_to_world[:, :3].astype(np.float32))
        np.testing.assert_array_equal(np.reshape(header.space.matrix, (4, 4)), _space().matrix)
        assert header.sampling == asdict(config.sampling)
        assert header.quality == {"held_out_psnr": 27.5, "steps": 100}
        assert [(s.first_frame, s.frames) for s in header.segments] == [(0, _FRAMES)]


@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_a_decoder_renders_the_picture_that_the_encoder_has_in_memory(
    kind: FieldKind, tmp_path: Path
) -> None:
    config = tiny_config("planes.basis=2,0", "quantisation.network=0.05", kind=kind)
    model, latents, space = _model(config), _latents(config), _space()
    weights = quantise_model(model, config.quantisation)
    groups = quantise_latents(latents, config.quantisation, 2)

    def render(seen: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            picture = render_frame(model.fold(seen[3:4]), _CAMERAS[2], space, config.sampling)
        return picture.rgb.numpy()

    exact = render(latents)
    load_weights(model, {tensor.name: tensor.dequantise() for tensor in weights})
    write_clip(tmp_path / "clip.dnv", _header(config), make_chunks(weights, groups))
    with dynerf.open(tmp_path / "clip.dnv", device="cpu") as clip:
        decoded = clip.render(clip.cameras[2], frame=3.0).rgb.numpy()
    np.testing.assert_array_equal(decoded, render(dequantised_latents(groups)))
    assert np.abs(decoded - exact).max() > 1e-4  # rounding shows, so the comparison can fail
    assert decoded.std() > 0.01


class TestLayers:
    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_the_encoder_has_what_a_decoder_has_after_each(self, kind: FieldKind) -> None:
        config = tiny_config(kind=kind)
        weights = quantise_model(_model(config), config.quantisation)
        groups = quantise_latents(_latents(config), config.quantisation, 2)
        reader = Reader(BytesSource(clip_bytes(_header(config), make_chunks(weights, groups))))
        layers = layered_weights(weights)
        assert len(layers) == 3
        for number, expected in enumerate(layers, start=1):
            found = reader.weights(0, number)
            assert list(found) == list(expected)
            for name, tensor in expected.items():
                np.testing.assert_array_equal(found[name].dequantise(), tensor.dequantise(), err_msg=name)

    @pytest.mark.parametrize(("kind", "complete"), [("planes", 2), ("mlp", 1)])
    def test_the_coarse_field_is_complete_before_the_fine_one(self, kind: FieldKind, complete: int) -> None:
        config = tiny_config(kind=kind)
        layers = layered_weights(quantise_model(_model(config), config.quantisation))
        steps = [{name: float(tensor.steps[0]) for name, tensor in layer.items()} for layer in layers]
        for name, least in steps[-1].items():
            whole = 1 + next(i for i, layer in enumerate(steps) if layer[name] == least)
            if name.startswith("coarse."):
                assert whole <= complete, name
        assert any(steps[1][name] > steps[2][name] for name in steps[2] if name.startswith("fine."))
