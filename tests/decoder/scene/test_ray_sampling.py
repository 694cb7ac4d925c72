"""Hierarchical sampling against loops over rays, bins and samples."""

import numpy as np
import pytest
import torch

from dynerf_decoder.scene.ray_sampling import importance_edges, merge_edges, stratified_edges
from support.histograms import random_histogram, seeded

_CPU = torch.device("cpu")


def _cumulative(weights: list[float]) -> list[float]:
    """The padded, normalised cumulative histogram, from 0 to 1."""
    total = max(sum(weights), 1e-8)
    padded = [weight + 0.01 * total / len(weights) for weight in weights]
    running = [0.0]
    for weight in padded:
        running.append(running[-1] + weight / sum(padded))
    return running


def _invert(edges: list[float], cumulative: list[float], u: float) -> float:
    """Search the bins for the position where the cumulative histogram reaches u."""
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


def test_jittered_edges_keep_the_ends_and_move_by_up_to_half_a_bin() -> None:
    edges = stratified_edges((500,), 8, torch.rand(500, 7, generator=seeded(0)), _CPU)
    even = stratified_edges((500,), 8, None, _CPU)
    assert bool((edges[:, 0] == 0).all())
    assert bool((edges[:, -1] == 1).all())
    assert bool((edges.diff(dim=-1) >= 0).all())
    deviations = (edges - even).abs()
    assert 0.49 / 8 < float(deviations.max()) <= 0.5 / 8 + 1e-6
    torch.testing.assert_close(edges.mean(dim=0), even[0], atol=0.01, rtol=0)


@pytest.mark.parametrize("count", [1, 5, 33])
def test_inverse_transform_agrees_with_searching_the_bins(count: int) -> None:
    edges, weights = random_histogram(20, 12, seed=1)
    found = importance_edges(edges, weights, count, None)
    for ray in range(20):
        cumulative = _cumulative(weights[ray].tolist())
        for k in range(count):
            expected = _invert(edges[ray].tolist(), cumulative, (k + 0.5) / count)
            # float32 sums of 12 bins, stretched by at most one over the lowest padded weight
            assert float(found[ray, k]) == pytest.approx(expected, abs=2e-4)


def test_each_draw_falls_into_its_own_part_of_equal_weight() -> None:
    edges, weights = random_histogram(50, 10, seed=2)
    found = importance_edges(edges, weights, 7, torch.rand(50, 7, generator=seeded(3)))
    assert bool((found.diff(dim=-1) >= 0).all())
    for ray in range(50):
        cumulative = _cumulative(weights[ray].tolist())
        for k in range(7):
            share = _share_below(edges[ray].tolist(), cumulative, float(found[ray, k]))
            assert k / 7 - 1e-5 <= share <= (k + 1) / 7 + 1e-5


def test_draws_are_distributed_like_the_histogram() -> None:
    edges = torch.tensor([0.0, 0.1, 0.4, 0.5, 1.0])
    weights = torch.tensor([0.2, 0.0, 0.7, 0.1])
    jitter = torch.rand(4000, 1, generator=seeded(4))
    drawn = importance_edges(edges.expand(4000, 5), weights.expand(4000, 4), 1, jitter)
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
    edges, weights = random_histogram(4, 6, seed=5)
    assert not importance_edges(edges, weights.requires_grad_(), 8, torch.rand(4, 8)).requires_grad


def test_merged_edges_are_all_edges_in_order() -> None:
    a, b = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.2, 0.5, 0.7, 0.9]])
    torch.testing.assert_close(merge_edges(a, b), torch.tensor([[0.0, 0.2, 0.5, 0.5, 0.7, 0.9, 1.0]]))
