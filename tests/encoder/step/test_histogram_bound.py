"""The histogram bound against a comparison of all pairs of intervals."""

import pytest
import torch

from dynerf_decoder.scene.ray_sampling import importance_edges
from dynerf_encoder.step.histogram_bound import histogram_bound_loss
from support.histograms import random_histogram, seeded


def _bound_loss_by_pairs(
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
    coarse_edges, coarse = random_histogram(6, 5, seed)
    coarse = 0.5 * _normalised(coarse)  # too little, so that something is exceeded
    fine_edges = importance_edges(coarse_edges, coarse, 9, torch.rand(6, 9, generator=seeded(seed)))
    fine = _normalised(torch.rand(6, 8, generator=seeded(seed + 10)) ** 4)
    found = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)
    assert float(found) > 0
    by_pairs = _bound_loss_by_pairs(fine_edges, fine, coarse_edges, coarse)
    assert float(found) == pytest.approx(by_pairs, rel=1e-4)


def test_the_bound_loss_is_zero_where_the_coarse_histogram_holds_the_fine_one() -> None:
    fine_edges, fine = random_histogram(10, 24, seed=7)
    fine = _normalised(fine)
    coarse_edges = fine_edges[:, ::4].contiguous()  # the same histogram, four intervals in one
    coarse = fine.view(10, 6, 4).sum(dim=-1)
    assert float(histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)) == pytest.approx(0, abs=1e-9)
    too_little = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse * 0.5)
    assert float(too_little) > 1e-3


def test_the_bound_loss_trains_the_coarse_weights_only() -> None:
    coarse_edges, coarse = random_histogram(4, 5, seed=8)
    fine_edges, fine = random_histogram(4, 9, seed=9)
    coarse, fine = _normalised(coarse).requires_grad_(), _normalised(fine).requires_grad_()
    loss = histogram_bound_loss(fine_edges, fine, coarse_edges, coarse)
    coarse_gradient, fine_gradient = torch.autograd.grad(loss, [coarse, fine], allow_unused=True)
    assert fine_gradient is None
    assert float(coarse_gradient.max()) <= 0  # more coarse weight never increases the loss
    assert float(coarse_gradient.min()) < 0
