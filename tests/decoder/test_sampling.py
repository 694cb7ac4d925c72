"""Hierarchical sampling against loops over rays, bins and samples."""

import numpy as np
import pytest
import torch

from dynerf_decoder.sampling import histogram_bound_loss, importance_edges, merge_edges, stratified_edges

_CPU = torch.device("cpu")


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _random_histogram(rays: int, bins: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Uneven edges over [0, 1] and peaked weights that are not normalised."""
    generator = _seeded(seed)
    edges = stratified_edges((rays,), bins, generator, _CPU)
    return edges, torch.rand(rays, bins, generator=generator) ** 6 * 3


def _cumulative(weights: list[float]) -> list[float]:
    """The padded, normalised cumulative histogram, from 0 to 1."""
    total = max(sum(weights), 1e-8)
    padded = [weight + 0.01 * total / len(weights) for weight in weights]
    running = [0.0]
    for weight in padded:
        running.append(running[-1] + weight / sum(padded))
    return running


def _invert(edges: list[float], cumulative: list[float], u: float) -> float:
    """Walk along the bins to where the cumulative histogram reaches u."""
    for left, right, low, high in zip(edges, edges[1:], cumulative, cumulative[1:], strict=False):
        if u <= high:
            return left + (right - left) * (u - low) / (high - low)
    return edges[-1]


def _share_below(edges: list[float], cumulative: list[float], position: float) -> float:
    """The cumulative histogram at a position: what ``_invert`` inverts."""
    return float(np.interp(position, edges, cumulative))


def test_even_edges_without_jitter() -> None:
    edges = stratified_edges((2, 3), 8, None, _CPU)
    assert edges.shape == (2, 3, 9)
    np.testing.assert_allclose(edges[1, 2].numpy(), [k / 8 for k in range(9)], atol=1e-7)


def test_jittered_edges_keep_the_ends_and_stray_by_half_an_interval() -> None:
    edges = stratified_edges((500,), 8, _seeded(0), _CPU)
    even = stratified_edges((500,), 8, None, _CPU)
    assert bool((edges[:, 0] == 0).all())
    assert bool((edges[:, -1] == 1).all())
    assert bool((edges.diff(dim=-1) >= 0).all())
    strays = (edges - even).abs()
    assert 0.49 / 8 < float(strays.max()) <= 0.5 / 8 + 1e-6
    torch.testing.assert_close(edges.mean(dim=0), even[0], atol=0.01, rtol=0)


@pytest.mark.parametrize("count", [1, 5, 33])
def test_inverse_transform_agrees_with_walking_along_the_bins(count: int) -> None:
    edges, weights = _random_histogram(20, 12, seed=1)
    found = importance_edges(edges, weights, count, None)
    for ray in range(20):
        cumulative = _cumulative(weights[ray].tolist())
        for k in range(count):
            expected = _invert(edges[ray].tolist(), cumulative, (k + 0.5) / count)
            # float32 sums of 12 bins, stretched by at most one over the lowest padded weight
            assert float(found[ray, k]) == pytest.approx(expected, abs=2e-4)


def test_each_draw_falls_into_its_own_part_of_equal_weight() -> None:
    edges, weights = _random_histogram(50, 10, seed=2)
    found = importance_edges(edges, weights, 7, _seeded(3))
    assert bool((found.diff(dim=-1) >= 0).all())
    for ray in range(50):
        cumulative = _cumulative(weights[ray].tolist())
        for k in range(7):
            share = _share_below(edges[ray].tolist(), cumulative, float(found[ray, k]))
            assert k / 7 - 1e-5 <= share <= (k + 1) / 7 + 1e-5


def test_draws_are_distributed_like_the_histogram() -> None:
    edges = torch.tensor([0.0, 0.1, 0.4, 0.5, 1.0])
    weights = torch.tensor([0.2, 0.0, 0.7, 0.1])
    drawn = importance_edges(edges.expand(4000, 5), weights.expand(4000, 4), 1, _seeded(4))
    counted, _ = np.histogram(drawn.numpy(), bins=edges.numpy())
    expected = np.diff(_cumulative(weights.tolist()))
    np.testing.assert_allclose(counted / 4000, expected, atol=4 * np.sqrt(0.25 / 4000))
    within = drawn[(drawn > 0.4) & (drawn < 0.5)]  # evenly within a bin
    assert float(within.mean()) == pytest.approx(0.45, abs=0.002)


def test_a_ray_without_weight_is_sampled_evenly() -> None:
    edges = stratified_edges((3,), 6, None, _CPU)
    found = importance_edges(edges, torch.zeros(3, 6), 4, None)
    np.testing.assert_allclose(found.numpy(), np.tile([0.125, 0.375, 0.625, 0.875], (3, 1)), atol=1e-5)


def test_no_gradient_flows_through_the_draws() -> None:
    edges, weights = _random_histogram(4, 6, seed=5)
    assert not importance_edges(edges, weights.requires_grad_(), 8, _seeded(6)).requires_grad


def test_merged_edges_are_all_edges_in_order() -> None:
    a, b = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.2, 0.5, 0.7, 0.9]])
    torch.testing.assert_close(merge_edges(a, b), torch.tensor([[0.0, 0.2, 0.5, 0.5, 0.7, 0.9, 1.0]]))


def _bound_loss_slowly(
    fine_edges: torch.Tensor, fine: torch.Tensor, coarse_edges: torch.Tensor, coarse: torch.Tensor
) -> float:
    """Every fine interval against every coarse one it overlaps, in Python's floats."""
    total = 0.0
    for ray in range(len(fine)):
        low, high = fine_edges[ray].tolist(), coarse_edges[ray].tolist()
        for i, weight in enumerate(fine[ray].tolist()):
            bound = 0.0
            for j, allowed in enumerate(coarse[ray].tolist()):
                if high[j] < low[i + 1] and high[j + 1] > low[i]:
                    bound += allowed
            total += max(0.0, weight - bound) ** 2 / (weight + 1e-5)
    return total / len(fine)


def _normalised(weights: torch.Tensor) -> torch.Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("seed", range(4))
def test_the_histogram_bound_agrees_with_comparing_all_pairs(seed: int) -> None:
    coarse_edges, coarse = _random_histogram(6, 5, seed)
    coarse = 0.5 * _normalised(coarse)  # too little, so that something is exceeded
    fine_edges = importance_edges(coarse_edges, coarse, 9, _seeded(seed))
    fine = _normalised(torch.rand(6, 8, generator=_seeded(seed + 10)) ** 4)
    found = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)
    assert float(found) > 0
    slowly = _bound_loss_slowly(fine_edges, fine, coarse_edges, coarse)
    assert float(found) == pytest.approx(slowly, rel=1e-4)


def test_the_bound_loss_is_zero_where_the_coarse_histogram_holds_the_fine_one() -> None:
    fine_edges, fine = _random_histogram(10, 24, seed=7)
    fine = _normalised(fine)
    coarse_edges = fine_edges[:, ::4].contiguous()  # the same histogram, four intervals in one
    coarse = fine.view(10, 6, 4).sum(dim=-1)
    assert float(histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)) == pytest.approx(0, abs=1e-9)
    too_little = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse * 0.5)
    assert float(too_little) > 1e-3


def test_the_bound_loss_trains_the_coarse_weights_only() -> None:
    coarse_edges, coarse = _random_histogram(4, 5, seed=8)
    fine_edges, fine = _random_histogram(4, 9, seed=9)
    coarse, fine = _normalised(coarse).requires_grad_(), _normalised(fine).requires_grad_()
    loss = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)
    for_coarse, for_fine = torch.autograd.grad(loss, [coarse, fine], allow_unused=True)
    assert for_fine is None
    assert float(for_coarse.max()) <= 0  # more coarse weight never makes it worse
    assert float(for_coarse.min()) < 0
