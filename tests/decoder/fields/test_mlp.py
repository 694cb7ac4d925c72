"""The ``mlp`` field: the paper's size, and folding does not change results."""

from dataclasses import replace

import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.fields.mlp import MlpModel, MlpNetwork, MlpSettings
from dynerf_format import FormatError

_SMALL = MlpSettings(
    latent=10, depth=4, width=16, skip=2, position_frequencies=3, direction_frequencies=2
)  # fmt: skip


def _network(settings: MlpSettings, seed: int = 0) -> MlpNetwork:
    torch.manual_seed(seed)
    return MlpNetwork(settings)


def _inputs(
    frames: int, rays: int, samples: int, latent: int, dtype: torch.dtype
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(frames, rays, samples, 3, generator=generator, dtype=dtype) * 2 - 1
    directions = torch.randn(frames, rays, 3, generator=generator, dtype=dtype)
    latents = torch.randn(frames, latent, generator=generator, dtype=dtype)
    return points, directions / directions.norm(dim=-1, keepdim=True), latents


def _unfolded(
    network: MlpNetwork, points: torch.Tensor, directions: torch.Tensor, latents: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The network with z concatenated to every sample, reshaped to the folded shapes."""
    frames, rays, samples, _ = points.shape
    density, rgb = network(
        points.reshape(-1, 3),
        directions.unsqueeze(2).expand(-1, -1, samples, -1).reshape(-1, 3),
        latents[:, None].expand(-1, rays * samples, -1).reshape(frames * rays * samples, -1),
    )
    return density.view(frames, rays, samples), rgb.view(frames, rays, samples, 3)


def test_each_network_has_the_papers_number_of_parameters() -> None:
    with torch.device("meta"):
        model = MlpModel(MlpSettings())
    for network in (model.fine, model.coarse):
        assert sum(parameter.numel() for parameter in network.parameters()) == 3_354_372
    assert len(list(model.parameters())) == 2 * len(list(model.fine.parameters()))


@pytest.mark.parametrize("skip", [1, 2, 3])
def test_folded_values_and_gradients_agree_with_the_paper_network(skip: int) -> None:
    settings = MlpSettings(_SMALL.latent, _SMALL.depth, _SMALL.width, skip, 3, 2)
    network = _network(settings).double()
    points, directions, latents = _inputs(3, 4, 5, settings.latent, torch.float64)
    latents.requires_grad_()
    leaves = [latents, *network.parameters()]
    generator = torch.Generator().manual_seed(2)
    w_density = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    w_rgb = torch.randn(3, 4, 5, 3, generator=generator, dtype=torch.float64)

    gradients = []
    values = []
    for density, rgb in (
        network.fold(latents).query(points, directions),
        _unfolded(network, points, directions, latents),
    ):
        values.append((density, rgb))
        gradients.append(torch.autograd.grad((w_density * density).sum() + (w_rgb * rgb).sum(), leaves))
    # float64: the two orders of summation differ by rounding alone
    torch.testing.assert_close(values[0], values[1], rtol=1e-10, atol=1e-12)
    for folded, unfolded in zip(*gradients, strict=True):
        torch.testing.assert_close(folded, unfolded, rtol=1e-9, atol=1e-11)


def test_folding_agrees_at_the_papers_size_in_float32() -> None:
    settings = MlpSettings()
    network = _network(settings)
    points, directions, latents = _inputs(2, 2, 3, settings.latent, torch.float32)
    with torch.no_grad():
        folded = network.fold(latents).query(points, directions)
        unfolded = _unfolded(network, points, directions, latents)
    # float32 sums of up to 1599 terms, eight layers deep
    torch.testing.assert_close(folded, unfolded, rtol=1e-4, atol=1e-5)


def test_a_latent_between_two_is_folded_between_their_biases() -> None:
    network = _network(_SMALL).double()
    ends = torch.randn(2, _SMALL.latent, dtype=torch.float64)
    middle = torch.lerp(ends[0], ends[1], 0.3)
    for between, both in zip(network.fold(middle[None]).biases, network.fold(ends).biases, strict=True):
        torch.testing.assert_close(between[0], torch.lerp(both[0], both[1], 0.3))


def test_shading_leaves_colours_alone() -> None:
    model = MlpModel(_SMALL)
    features, directions = torch.rand(2, 3, 3), torch.rand(2, 3, 3)
    fine = model.fold(torch.zeros(2, _SMALL.latent)).fine
    assert torch.equal(fine.shade(features, directions), features)


def test_under_autocast_results_have_the_precision_of_the_points() -> None:
    points, directions, latents = _inputs(2, 3, 4, _SMALL.latent, torch.float32)
    folded = _network(_SMALL).fold(latents)
    expected = folded.query(points, directions)
    with torch.autocast("cpu", torch.bfloat16):
        found = folded.query(points, directions)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=0, atol=0.03)


def test_one_network_places_samples_and_colours_them() -> None:
    torch.manual_seed(0)
    model = MlpModel(replace(_SMALL, networks=1))
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"fine"}
    assert {name.split(".")[0] for name in model.latent_columns()} == {"fine"}
    folded = model.fold(torch.randn(2, _SMALL.latent))
    assert folded.coarse is folded.fine


def test_density_alone_equals_the_density_with_colour() -> None:
    network = _network(_SMALL)
    points, directions, latents = _inputs(2, 3, 4, _SMALL.latent, torch.float32)
    folded = network.fold(latents)
    torch.testing.assert_close(folded.density(points), folded.query(points, directions)[0], rtol=0, atol=0)


def test_files_without_a_number_of_networks_have_two() -> None:
    settings = settings_record(_SMALL)
    assert settings.pop("networks") == 2
    two = build_model("mlp", settings)
    assert isinstance(two, MlpModel)
    assert two.coarse is not two.fine
    for wrong in (0, 3, None, True):
        with pytest.raises(FormatError, match="networks"):
            build_model("mlp", {**settings, "networks": wrong})
