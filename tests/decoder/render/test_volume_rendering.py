"""Volume rendering against a loop over NeRF's equation 3."""

import math

import pytest
import torch

from dynerf_decoder.render.volume_rendering import accumulate, median_position, ray_weights


def _random_ray(rays: int, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    density = torch.rand(rays, samples, generator=generator, dtype=torch.float64) ** 4 * 40
    lengths = torch.rand(rays, samples, generator=generator, dtype=torch.float64) * 0.2
    return density, lengths


def _weights_slowly(density: list[float], lengths: list[float]) -> list[float]:
    """The transmittance interval by interval; the last interval takes all of it."""
    transmittance, weights = 1.0, []
    for sigma, delta in zip(density[:-1], lengths[:-1], strict=True):
        alpha = 1 - math.exp(-sigma * delta)
        weights.append(transmittance * alpha)
        transmittance *= 1 - alpha
    return [*weights, transmittance]


@pytest.mark.parametrize("samples", [1, 2, 9])
def test_weights_agree_with_the_loop_and_sum_to_one(samples: int) -> None:
    density, lengths = _random_ray(6, samples, seed=0)
    weights = ray_weights(density, lengths)
    for ray in range(6):
        expected = _weights_slowly(density[ray].tolist(), lengths[ray].tolist())
        assert weights[ray].tolist() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(6, dtype=torch.float64))


def test_an_opaque_interval_occludes_those_behind_it() -> None:
    density = torch.tensor([[0.0, 1e6, 5.0, 5.0]])
    torch.testing.assert_close(ray_weights(density, torch.ones(1, 4)), torch.tensor([[0.0, 1, 0, 0]]))


def test_an_empty_ray_has_its_weight_at_the_far_end() -> None:
    torch.testing.assert_close(ray_weights(torch.zeros(1, 3), torch.ones(1, 3)), torch.tensor([[0.0, 0, 1]]))


def test_gradients_of_weights_and_of_accumulated_values() -> None:
    density, lengths = _random_ray(3, 5, seed=1)
    density.requires_grad_()
    lengths.requires_grad_()
    values = torch.rand(3, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ray_weights, (density, lengths))
    assert torch.autograd.gradcheck(
        lambda d, v: accumulate(ray_weights(d, lengths.detach()), v), (density, values)
    )


def test_accumulated_values_are_weighted_sums() -> None:
    weights, values = torch.rand(2, 3, 5), torch.rand(2, 3, 5, 4)
    found = accumulate(weights, values)
    for frame in range(2):
        for ray in range(3):
            for channel in range(4):
                expected = sum(
                    float(weights[frame, ray, k]) * float(values[frame, ray, k, channel]) for k in range(5)
                )
                assert float(found[frame, ray, channel]) == pytest.approx(expected, rel=1e-5)


def _median_slowly(weights: list[float], edges: list[float]) -> float:
    before = 0.0
    for index, weight in enumerate(weights):
        if before + weight >= 0.5:
            return edges[index] + (edges[index + 1] - edges[index]) * (0.5 - before) / weight
        before += weight
    raise AssertionError("weights sum to less than one half")


def test_the_median_is_where_half_of_the_weight_has_passed() -> None:
    density, lengths = _random_ray(40, 7, seed=2)
    weights = ray_weights(density, lengths)
    edges = torch.cumsum(torch.rand(40, 8, dtype=torch.float64), dim=-1)
    found = median_position(weights, edges)
    for ray in range(40):
        expected = _median_slowly(weights[ray].tolist(), edges[ray].tolist())
        assert float(found[ray]) == pytest.approx(expected, rel=1e-6)


def test_the_median_ignores_a_thin_veil_in_front() -> None:
    weights = torch.tensor([[0.2, 0.0, 0.8, 0.0]])
    edges = torch.tensor([[0.0, 0.1, 0.6, 0.7, 1.0]])
    assert float(median_position(weights, edges)) == pytest.approx(0.6 + 0.1 * 0.3 / 0.8)
