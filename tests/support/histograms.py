"""Random histograms along rays, for tests of hierarchical sampling and of its loss."""

import torch

from dynerf_decoder.scene.ray_sampling import stratified_edges

_CPU = torch.device("cpu")


def seeded(seed: int) -> torch.Generator:
    """A generator of torch with this seed."""
    return torch.Generator().manual_seed(seed)


def random_histogram(rays: int, bins: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Uneven edges over [0, 1] and peaked weights that are not normalised."""
    generator = seeded(seed)
    edges = stratified_edges((rays,), bins, torch.rand(rays, bins - 1, generator=generator), _CPU)
    return edges, torch.rand(rays, bins, generator=generator) ** 6 * 3
