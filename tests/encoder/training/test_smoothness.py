"""The gradient of total variation, written by hand, equals that of autograd."""

import torch

from dynerf_decoder.fields.planes import PlanesModel, PlanesSettings
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.step.reference import _add_total_variation

SETTINGS = PlanesSettings(latent=4, scales=(5, 6), channels=2, basis=(2, 0), coarse_basis=1, coarse_scale=5)


def test_the_gradient_of_total_variation_is_what_autograd_finds() -> None:
    torch.manual_seed(0)
    model = PlanesModel(SETTINGS)
    planes = {name: p for name, p in model.named_parameters() if is_plane(name) and p.numel() > 0}
    for plane in planes.values():
        torch.nn.init.normal_(plane)
        plane.grad = torch.ones_like(plane)
    total = torch.zeros(())
    for plane in planes.values():
        total = total + plane.diff(dim=-1).square().mean() + plane.diff(dim=-2).square().mean()
    expected = torch.autograd.grad(0.3 * total, list(planes.values()))
    _add_total_variation(model, 0.3)
    for plane, gradient in zip(planes.values(), expected, strict=True):
        assert plane.grad is not None
        torch.testing.assert_close(plane.grad, 1 + gradient)
