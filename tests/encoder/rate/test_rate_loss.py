"""The rate term: estimated bits of symbols, and their effect in training."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.fields.field import Model
from dynerf_encoder.config.schema import FieldKind, Rate
from dynerf_encoder.export.tensors import dequantised_latents, quantise_latents, quantise_model
from dynerf_encoder.rate import rate_loss
from dynerf_encoder.rate.plane_passes import round_planes
from dynerf_encoder.rate.rate_control import RateControl
from dynerf_encoder.rate.rate_loss import (
    add_rate_gradient,
    estimated_bytes,
    expected_bits,
    laplace_slopes,
    stored_form,
)
from dynerf_encoder.rate.step_sizes import coarsened, is_plane
from support.encoding import tiny_config

_STEPS = replace(tiny_config().quantisation, planes=0.25, network=0.05, latents=0.1)


def _model(kind: FieldKind = "planes", spread: float = 0.3) -> tuple[Model, torch.nn.Parameter]:
    """A model and latents of random numbers, with gradients of zero."""
    config = tiny_config(kind=kind)
    model = build_model(kind, settings_record(getattr(config, kind)))
    latents = torch.nn.Parameter(torch.zeros(5, model.latent_size))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (*model.parameters(), latents):
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
            parameter.grad = torch.zeros_like(parameter)
    return model, latents


def _laplace(slope: float, size: int) -> torch.Tensor:
    """Symbols of a discretised Laplace distribution, (1, size)."""
    uniform = np.random.default_rng(0).uniform(-0.5, 0.5, size)
    x = -np.sign(uniform) * np.log1p(-2 * np.abs(uniform)) / slope
    return torch.as_tensor(np.rint(x), dtype=torch.float32).unsqueeze(0)


def _log_probability(symbol: int, slope: float) -> float:
    """ln P by the integral of the density over the symbol's interval."""
    below, above = (symbol - 0.5) * slope, (symbol + 0.5) * slope
    return math.log(_cumulative(above) - _cumulative(below))


def _cumulative(x: float) -> float:
    """Of a Laplace distribution of scale 1."""
    return 0.5 * math.exp(x) if x < 0 else 1 - 0.5 * math.exp(-x)


class TestBitEstimate:
    @pytest.mark.parametrize("slope", [0.1, 1.0, 4.0])
    def test_the_slope_is_estimated_from_the_symbols(self, slope: float) -> None:
        found = laplace_slopes(_laplace(slope, 200_000).abs().sum(), 200_000)
        assert float(found) == pytest.approx(slope, rel=0.02)

    @pytest.mark.parametrize("slope", [0.1, 1.0, 4.0, 12.0])
    def test_expected_bits_are_the_entropy(self, slope: float) -> None:
        logs = [_log_probability(k, slope) for k in range(-400, 401) if abs(k) * slope < 30]
        entropy = -sum(math.exp(log) * log for log in logs) / math.log(2)
        assert float(expected_bits(torch.tensor([[slope]]), 1000)) == pytest.approx(1000 * entropy, rel=1e-3)

    def test_a_channel_of_zeros_costs_next_to_nothing(self) -> None:
        slope = laplace_slopes(torch.zeros(3, 1), 10_000)
        assert 0 < float(expected_bits(slope, 10_000)) < 3 * 16
        assert torch.isfinite(slope).all()

    def test_the_estimate_is_near_the_order_0_entropy_of_the_real_symbols(self) -> None:
        model, latents = _model()
        with stored_form(model, latents, _STEPS) as rounded:
            estimate = estimated_bytes(rounded)
        bits: float = 0.0
        tensors = [*quantise_model(model, _STEPS), *(t for _, t in quantise_latents(latents, _STEPS, 2))]
        for tensor in tensors:
            counts = np.unique(tensor.symbols, return_counts=True)[1] / tensor.symbols.size
            bits += tensor.symbols.size * float(-counts @ np.log2(counts))
        assert estimate == pytest.approx(bits / 8, rel=0.15)


class TestStoredForm:
    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_is_what_the_file_will_hold(self, kind: FieldKind) -> None:
        model, latents = _model(kind)
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        packed = {t.name: t.dequantise() for t in quantise_model(model, _STEPS)}
        groups = dequantised_latents(quantise_latents(latents, _STEPS, 5))
        with stored_form(model, latents, _STEPS):
            for name, value in model.named_parameters():
                if value.numel() > 0:
                    torch.testing.assert_close(value.detach(), torch.as_tensor(packed[name]))
            torch.testing.assert_close(latents.detach(), groups)
        for name, value in model.named_parameters():
            assert torch.equal(value, before[name]), name

    def test_values_return_after_an_error(self) -> None:
        model, latents = _model()
        before = latents.detach().clone()
        with pytest.raises(ArithmeticError), stored_form(model, latents, _STEPS):
            raise ArithmeticError
        assert torch.equal(latents, before)

    def test_gradients_pass_straight_through(self) -> None:
        model, latents = _model()
        model.zero_grad()
        with stored_form(model, latents, _STEPS):
            held = model.get_parameter("fine.static.0").detach().clone()
            model.get_parameter("fine.static.0").square().sum().backward()  # type: ignore[no-untyped-call]
        gradient = model.get_parameter("fine.static.0").grad
        assert gradient is not None
        torch.testing.assert_close(gradient, 2 * held)


class TestRateGradient:
    def test_pulls_planes_towards_zero_by_what_the_next_symbol_saves(self) -> None:
        model, latents = _model()
        with stored_form(model, latents, _STEPS) as rounded:
            pass
        add_rate_gradient(rounded, weight=8e6)  # the weight of one bit is then 1
        plane = model.get_parameter("fine.static.0")
        assert plane.grad is not None
        channel, gradient = plane.detach()[1, 2], plane.grad[1, 2]
        magnitudes = round_planes(channel[None], torch.tensor(_STEPS.planes))[1]
        slope = float(laplace_slopes(magnitudes, channel.numel()))
        expected = slope / math.log(2) / _STEPS.planes * (channel / _STEPS.planes).clamp(-1, 1)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)

    def test_of_a_step_away_from_zero_is_the_difference_in_bits(self) -> None:
        # The ramp's integral over the first step, and the slope over the next, against -log2 P.
        for slope in (2.0, 6.0):
            first = (_log_probability(0, slope) - _log_probability(1, slope)) / math.log(2)
            assert slope / math.log(2) / 2 + 1 == pytest.approx(first, abs=0.7 if slope < 3 else 0.1)
            second = (_log_probability(1, slope) - _log_probability(2, slope)) / math.log(2)
            assert slope / math.log(2) == pytest.approx(second, rel=1e-6)

    def test_does_not_reward_shrinking_a_network(self) -> None:
        model, latents = _model()
        with stored_form(model, latents, _STEPS) as rounded:
            pass
        add_rate_gradient(rounded, weight=8e6)
        for name, value in model.named_parameters():
            if not is_plane(name) and value.numel() > 1:
                assert value.grad is not None
                along = float((value.grad * value.detach()).sum())
                assert abs(along) < 1e-3 * float(value.grad.norm() * value.detach().norm()) + 1e-3, name

    def test_descending_it_makes_a_smaller_model(self) -> None:
        model, latents = _model()
        sizes = []
        for _ in range(20):
            with stored_form(model, latents, _STEPS) as rounded:
                sizes.append(estimated_bytes(rounded))
            model.zero_grad(set_to_none=False)
            add_rate_gradient(rounded, weight=8e6)
            with torch.no_grad():
                for name, value in model.named_parameters():
                    if is_plane(name) and value.grad is not None:
                        value.sub_(2e-3 * value.grad)
        assert sizes[-1] < 0.7 * sizes[0]
        assert sizes == sorted(sizes, reverse=True)


class TestControl:
    def _control(self, **changes: float) -> RateControl:
        settings = {"start": 0.5, "weight": 1e-3, "target": 0, **changes}
        return RateControl(Rate(**settings), _STEPS, steps=50)  # type: ignore[arg-type]

    def test_nothing_is_rounded_before_the_start_or_without_a_weight(self) -> None:
        assert not self._control().active(0.49)
        assert self._control().active(0.5)
        assert not self._control(weight=0.0).active(0.9)
        assert self._control(weight=0.0, target=1000).active(0.9)
        model, latents = _model()
        before = latents.detach().clone()
        with self._control().stored_form(model, latents, 0.2) as rounded:
            assert torch.equal(latents, before)
        self._control().add_gradient(rounded)
        assert not any(value.grad.any() for value in model.parameters() if value.grad is not None)

    def test_without_a_target_the_steps_are_those_configured(self) -> None:
        control = self._control()
        model, latents = _model()
        with control.stored_form(model, latents, 0.7) as rounded:
            pass
        control.add_gradient(rounded)
        assert control.quantisation == _STEPS

    @pytest.mark.parametrize("factor", [0.4, 2.5])
    def test_with_a_target_the_steps_follow_it(self, factor: float) -> None:
        model, latents = _model()
        with stored_form(model, latents, _STEPS) as rounded:
            target = round(factor * estimated_bytes(rounded))
        control = self._control(weight=0.0, target=target)
        for _ in range(100):
            with control.stored_form(model, latents, 0.7) as rounded:
                pass
            control.add_gradient(rounded)
        assert estimated_bytes(rounded) == pytest.approx(target, rel=0.05)
        assert (control.coarseness > 1) == (factor < 1)

    def test_the_real_size_corrects_the_estimate(self) -> None:
        model, latents = _model()
        found = []
        for real in (0.5, 1.0):
            control = self._control(weight=0.0, target=3000)
            for _ in range(100):
                with control.stored_form(model, latents, 0.7) as rounded:
                    pass
                control.add_gradient(rounded)
                control.calibrate(round(real * estimated_bytes(rounded)))
            found.append(real * estimated_bytes(rounded))
        assert found == pytest.approx([3000, 3000], rel=0.05)

    def test_resumes_from_an_exported_state(self) -> None:
        model, latents = _model()
        one, other = self._control(target=2000), self._control(target=2000)
        for _ in range(3):
            with one.stored_form(model, latents, 0.7) as rounded:
                pass
            one.add_gradient(rounded)
        other.restore(one.export())
        assert other.quantisation == one.quantisation != _STEPS

    @pytest.mark.parametrize("state", [np.zeros(3), np.array([0, 0, np.nan, 0])])
    def test_an_invalid_state_is_refused(self, state: np.ndarray) -> None:
        with pytest.raises(ValueError, match="rate control"):
            self._control().restore(state)

    def test_extreme_states_stay_within_bounds(self) -> None:
        control = self._control(target=1)
        control.restore(np.array([1e300, 1e300, 1.0, 1.0]))
        assert control.quantisation == coarsened(_STEPS, math.exp(3))


def test_coarser_steps_leave_the_groups_alone() -> None:
    assert coarsened(_STEPS, 2.0) == replace(_STEPS, planes=0.5, network=0.1, latents=0.2)


@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_kernels_agree_with_torch(kind: FieldKind, monkeypatch: pytest.MonkeyPatch) -> None:
    model, latents = _model(kind)
    found = []
    for kernels in (True, False):
        monkeypatch.setattr(rate_loss, "_has_kernels", lambda _, kernels=kernels: kernels)
        for parameter in (*model.parameters(), latents):
            parameter.grad = torch.zeros_like(parameter)
        with stored_form(model, latents, _STEPS) as rounded:
            values = [parameter.detach().clone() for parameter in (*model.parameters(), latents)]
            add_rate_gradient(rounded, 0.5)
            numbers = [(float(item.step), float(item.slope.sum())) for item in rounded]
        gradients = [p.grad.clone() for p in (*model.parameters(), latents) if p.grad is not None]
        found.append((values, gradients, numbers))
    for values, expected in zip(*(each[:2] for each in found), strict=True):
        torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-5)
