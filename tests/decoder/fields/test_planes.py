"""The ``planes`` field against loops over frames, points, scales, planes and basis planes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.fields.plane_query import query_stack
from dynerf_decoder.fields.planes import PlanesModel, PlanesSettings, PlaneStack

_AXES = ((0, 1), (0, 2), (1, 2))  # of a plane: column, row
_BASES = [(3, 2), (0, 2), (2, 0)]


def _stack(basis: tuple[int, ...], seed: int = 0) -> PlaneStack:
    """Two scales, random everywhere, in float64."""
    torch.manual_seed(seed)
    stack = PlaneStack(latent=4, scales=(4, 7), channels=2, basis=basis, hidden=5, outputs=3).double()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64) * 0.7)
    return stack


def _points(frames: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(frames, count, 3, generator=generator, dtype=torch.float64) * 2 - 1
    points[:, 0] = torch.tensor([-1.0, 1.0, 1.0])  # corners belong to the cube
    points[:, 1] = torch.tensor([1.0, -1.0, 0.0])
    return points


def _latents(frames: int) -> torch.Tensor:
    return torch.randn(frames, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def _bilinear(plane: np.ndarray, column: float, row: float) -> np.ndarray:
    """A (channel, size, size) plane at positions in [-1, 1]; first and last feature lie on the border."""
    size = plane.shape[-1]
    x, y = (column + 1) / 2 * (size - 1), (row + 1) / 2 * (size - 1)
    left, top = min(int(x), size - 2), min(int(y), size - 2)
    right, down = x - left, y - top
    return np.asarray(
        (1 - right) * (1 - down) * plane[:, top, left]
        + right * (1 - down) * plane[:, top, left + 1]
        + (1 - right) * down * plane[:, top + 1, left]
        + right * down * plane[:, top + 1, left + 1]
    )


def _numbers(stack: PlaneStack) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in stack.named_parameters()}


def _evaluate_slowly(stack: PlaneStack, points: torch.Tensor, latents: torch.Tensor) -> np.ndarray:
    """numpy, frame by frame and point by point: modulate the planes, look up, multiply, small MLP."""
    p = _numbers(stack)
    result = np.zeros((*points.shape[:2], 3))
    for frame, z in enumerate(latents.numpy()):
        coefficients = p["mix.weight"] @ z + p["mix.bias"]
        for index, point in enumerate(points[frame].tolist()):
            features: list[float] = []
            used = 0
            for scale in range(len(stack.static)):
                basis = p[f"basis.{scale}"]
                product = np.ones(2)
                for plane, (column, row) in enumerate(_AXES):
                    modulated = 1 + p[f"static.{scale}"][plane]
                    for k in range(len(basis)):
                        modulated = modulated + coefficients[used + k] * basis[k, plane]
                    product = product * _bilinear(modulated, point[column], point[row])
                features.extend(product)
                used += len(basis)
            hidden = (
                p["hidden.weight"] @ np.array(features) + p["hidden.bias"] + p["hidden_latent.weight"] @ z
            )
            result[frame, index] = p["out.weight"] @ np.maximum(hidden, 0) + p["out.bias"]
    return result


def _evaluate_unfolded(stack: PlaneStack, points: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """The same in torch, point by point and corner by corner, for autograd."""
    frames = []
    for z, frame_points in zip(latents, points, strict=True):
        coefficients = stack.mix(z)
        outputs = []
        for point in frame_points:
            features, used = [], 0
            for static, basis in zip(stack.static, stack.basis, strict=True):
                size = static.shape[-1]
                product = torch.ones(2, dtype=torch.float64)
                for plane, (column, row) in enumerate(_AXES):
                    x, y = (point[column] + 1) / 2 * (size - 1), (point[row] + 1) / 2 * (size - 1)
                    left, top = min(int(x), size - 2), min(int(y), size - 2)
                    value = torch.zeros(2, dtype=torch.float64)
                    for i in (top, top + 1):
                        for j in (left, left + 1):
                            corner = 1 + static[plane, :, i, j]
                            for k in range(len(basis)):
                                corner = corner + coefficients[used + k] * basis[k, plane, :, i, j]
                            value = value + (1 - (x - j).abs()) * (1 - (y - i).abs()) * corner
                    product = product * value
                features.append(product)
                used += len(basis)
            hidden = stack.hidden(torch.cat(features)) + stack.hidden_latent(z)
            outputs.append(stack.out(hidden.relu()))
        frames.append(torch.stack(outputs))
    return torch.stack(frames)


@pytest.mark.parametrize("basis", _BASES)
def test_folded_values_agree_with_the_loop(basis: tuple[int, ...]) -> None:
    stack, points, latents = _stack(basis), _points(3, 9), _latents(3)
    folded = stack.fold(latents)
    assert isinstance(folded, FoldedStack)
    found = query_stack(folded, points).detach().numpy()
    np.testing.assert_allclose(found, _evaluate_slowly(stack, points, latents), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("basis", _BASES)
def test_folded_gradients_agree_with_autograd_of_the_loop(basis: tuple[int, ...]) -> None:
    stack, points, latents = _stack(basis, seed=3), _points(2, 5), _latents(2).requires_grad_()
    leaves = [latents, *(parameter for parameter in stack.parameters() if parameter.numel() > 0)]
    loss_weights = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    fast = torch.autograd.grad((loss_weights * query_stack(stack.fold(latents), points)).sum(), leaves)
    slow = torch.autograd.grad((loss_weights * _evaluate_unfolded(stack, points, latents)).sum(), leaves)
    for folded, unfolded in zip(fast, slow, strict=True):
        torch.testing.assert_close(folded, unfolded, rtol=1e-9, atol=1e-11)
        assert float(folded.abs().max()) > 0


def test_points_outside_the_cube_are_clamped_to_its_border() -> None:
    stack, latents = _stack((3, 2)), _latents(1)
    outside = torch.tensor([[[1.5, 0.2, -3.0]]], dtype=torch.float64)
    folded = stack.fold(latents)
    torch.testing.assert_close(query_stack(folded, outside), query_stack(folded, outside.clamp(-1, 1)))


def test_a_latent_between_two_is_folded_between_their_planes() -> None:
    stack, ends = _stack((3, 2)), _latents(2)
    middle = torch.lerp(ends[0], ends[1], 0.25)[None]
    between, both = stack.fold(middle), stack.fold(ends)
    for one, two in zip(between.planes, both.planes, strict=True):
        first, second = two.view(2, *one.shape).unbind()
        torch.testing.assert_close(one, torch.lerp(first, second, 0.25))
    torch.testing.assert_close(
        between.hidden_bias[0], torch.lerp(both.hidden_bias[0], both.hidden_bias[1], 0.25)
    )


_SETTINGS = PlanesSettings(latent=4, scales=(5, 6), channels=2, basis=(2, 0), coarse_basis=1, coarse_scale=5)


def _model() -> PlanesModel:
    torch.manual_seed(5)
    model = PlanesModel(_SETTINGS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.5)
    return model


def test_the_model_gives_densities_colours_and_view_dependence() -> None:
    folded = _model().requires_grad_(False).fold(torch.randn(2, 4))
    points, directions = torch.rand(2, 3, 7, 3) * 2 - 1, F.normalize(torch.rand(2, 3, 3), dim=-1)
    density, features = folded.fine.query(points, directions)
    assert density.shape == (2, 3, 7)
    assert features.shape == (2, 3, 7, 3 + _SETTINGS.view_features)
    assert float(density.min()) >= 0
    assert float(folded.coarse.density(points).min()) >= 0
    assert 0 <= float(features.min()) <= float(features.max()) <= 1
    there = folded.fine.shade(features[:, :, 0], directions)
    back = folded.fine.shade(features[:, :, 0], -directions)
    assert there.shape == (2, 3, 3)
    assert not torch.allclose(there, back)


def test_an_untrained_model_does_not_depend_on_direction() -> None:
    folded = PlanesModel(_SETTINGS).fold(torch.randn(1, 4))
    features, directions = torch.rand(1, 3, 9), F.normalize(torch.rand(1, 3, 3), dim=-1)
    torch.testing.assert_close(folded.fine.shade(features, directions), features[..., :3])
