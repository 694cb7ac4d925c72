"""Spaces: a clipped ray's interval in the cube maps back to the ray."""

import math

import numpy as np
import pytest
import torch

from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.scene.contraction import Space

_ROTATION = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
_FRUSTUM_POSE = np.concatenate([_ROTATION, [[0.3], [-0.2], [1.0]]], axis=1)
_SPACES = [
    pytest.param(Space.box(np.array([-2.0, -1, 0]), np.array([1.0, 3, 2]), near=0.25), id="box"),
    pytest.param(Space.perspective(_FRUSTUM_POSE, (0.7, 0.5), 0.8, 60.0), id="perspective"),
]


def _random_rays(space: Space, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays through random points of the space, from random origins a few units away."""
    rng = np.random.default_rng(seed)
    cube = np.concatenate([rng.uniform(-1.1, 1.1, (count, 3)), np.ones((count, 1))], axis=1)
    world = cube @ np.linalg.inv(space.matrix).T
    through = world[:, :3] / world[:, 3:]
    origins = through + rng.normal(size=(count, 3)) * rng.choice([0.1, 1, 10], (count, 1))
    directions = through - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return torch.as_tensor(origins), torch.as_tensor(directions)


def _clip_slowly(space: Space, origin: np.ndarray, direction: np.ndarray) -> tuple[float, float] | None:
    """Clip one ray face by face; None when it misses."""
    t_in, t_out = space.near, math.inf
    base = space.matrix @ np.append(origin, 1.0)
    slope = space.matrix @ np.append(direction, 0.0)
    for axis in range(3):
        for sign in (1, -1):
            inside, change = base[3] + sign * base[axis], slope[3] + sign * slope[axis]
            if change == 0 and inside < 0:
                return None
            if change > 0:
                t_in = max(t_in, -inside / change)
            if change < 0:
                t_out = min(t_out, -inside / change)
    return (t_in, t_out) if t_out - t_in > 1e-6 else None


@pytest.mark.parametrize("space", _SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_clipping_agrees_with_clipping_face_by_face(space: Space, seed: int) -> None:
    origins, directions = _random_rays(space, 300, seed)
    intervals = space.clip(origins, directions)
    hits = 0
    for index in range(len(origins)):
        expected = _clip_slowly(space, origins[index].numpy(), directions[index].numpy())
        assert bool(intervals.hit[index]) == (expected is not None)
        if expected is not None:
            hits += 1
            found = (float(intervals.distance_in[index]), float(intervals.distance_out[index]))
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert hits > 150


@pytest.mark.parametrize("space", _SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_positions_in_an_interval_are_the_rays_points_in_the_cube(space: Space, seed: int) -> None:
    origins, directions = _random_rays(space, 300, seed)
    intervals = space.clip(origins, directions)
    hit = intervals.hit
    for fraction in (0.0, 0.1, 0.5, 0.93, 1.0):
        s = torch.full((len(origins),), fraction)
        distances = intervals.distance(s).double()
        points = (origins + distances[:, None] * directions)[hit].numpy()
        # Distances are float32; disparity varies slowly near the far plane and fast near the near plane.
        np.testing.assert_allclose(intervals.at(s[:, None])[hit, 0].numpy(), space.to_cube(points), atol=2e-5)


@pytest.mark.parametrize("space", _SPACES)
def test_ends_lie_on_the_cubes_border_or_at_near(space: Space) -> None:
    intervals = space.clip(*_random_rays(space, 500, seed=5))
    hit = intervals.hit
    from_near = (intervals.distance_in[hit] - space.near).abs() < 1e-6
    on_border = (intervals.start[hit].abs().amax(dim=-1) - 1).abs() < 1e-5
    assert bool((from_near | on_border).all())
    assert bool(from_near.any())
    assert bool(on_border.any())
    torch.testing.assert_close(intervals.end[hit].abs().amax(dim=-1), torch.ones(int(hit.sum())))
    assert bool((intervals.distance_in[hit] >= space.near).all())
    torch.testing.assert_close(intervals.length(), (intervals.end - intervals.start).norm(dim=-1))


@pytest.mark.parametrize("space", _SPACES)
def test_rays_that_miss_are_flagged_and_have_no_length(space: Space) -> None:
    origins = torch.tensor([[0.0, 50, 100], [0, 0, -300], [500, 0, 0], [0, 0, 100]])
    directions = torch.tensor([[0.0, 1, 0], [0, 0, -1], [0, 1, 0], [0, 0, 1]])
    intervals = space.clip(origins, directions)
    assert not bool(intervals.hit.any())
    assert float(intervals.length().abs().max()) == 0
    for values in (intervals.start, intervals.end, intervals.w_in, intervals.w_out):
        assert bool(torch.isfinite(values).all())
    assert bool(torch.isfinite(intervals.distance(torch.full((4,), 0.5))).all())


def test_rays_parallel_to_faces_hit_between_them_and_miss_beside_them() -> None:
    space = Space.box(np.array([-1.0, -1, -1]), np.array([1.0, 1, 1]), near=0.0)
    origins = torch.tensor([[-3.0, 0.5, 0.5], [-3, 1.5, 0], [-3, 1, 0]])  # between, beside, in a face
    intervals = space.clip(origins, torch.tensor([[1.0, 0, 0]]).expand(3, 3))
    assert intervals.hit.tolist() == [True, False, True]
    torch.testing.assert_close(intervals.start[0], torch.tensor([-1.0, 0.5, 0.5]))
    torch.testing.assert_close(intervals.end[0], torch.tensor([1.0, 0.5, 0.5]))
    assert (float(intervals.distance_in[0]), float(intervals.distance_out[0])) == (2, 4)


def test_a_ray_that_starts_inside_begins_at_near() -> None:
    space = Space.box(np.array([-1.0, -1, -1]), np.array([1.0, 1, 1]), near=0.25)
    intervals = space.clip(torch.zeros(1, 3), torch.tensor([[0.0, 0, -1]]))
    torch.testing.assert_close(intervals.start, torch.tensor([[0.0, 0, -0.25]]))
    torch.testing.assert_close(intervals.end, torch.tensor([[0.0, 0, -1]]))


def test_nothing_behind_the_virtual_camera_is_in_a_perspective_space() -> None:
    space = Space.perspective(np.eye(4)[:3], (1.0, 1.0), 1.0, 10.0)
    origins = torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 20]])
    directions = torch.tensor([[0.0, 0, -1], [0, 0, 1], [0, 0, -1]])
    intervals = space.clip(origins, directions)
    assert intervals.hit.tolist() == [True, False, True]
    torch.testing.assert_close(intervals.distance_in, torch.tensor([1.0, 0, 21]))
    torch.testing.assert_close(intervals.distance_out, torch.tensor([10.0, 0, 30]))


def test_a_perspective_space_is_linear_in_disparity() -> None:
    space = Space.perspective(np.eye(4)[:3], (0.5, 0.25), 2.0, 8.0)
    for depth in (2.0, 3.0, 5.0, 8.0):
        x, y, z = space.to_cube(np.array([[0.5 * depth, -0.25 * depth, -depth]]))[0]
        disparity = (1 / depth - 1 / 8) / (1 / 2 - 1 / 8)  # 1 at the near plane, 0 at the far plane
        assert (x, y) == pytest.approx((1, -1))
        assert abs(z) == pytest.approx(abs(2 * disparity - 1), abs=1e-12)
    assert space.to_cube(np.array([[0.0, 0, -2]]))[0, 2] == pytest.approx(-1)


def test_intervals_keep_leading_axes_and_rays_can_be_picked() -> None:
    space = Space.box(np.array([-1.0, -1, -1]), np.array([1.0, 1, 1]), near=0.0)
    pose = np.concatenate([np.eye(3), [[0.0], [0.0], [3.0]]], axis=1)
    origins, directions = camera_rays(Camera("a", 8, 6, 9.0, 9.0, 4.0, 3.0, pose))
    flat = space.clip(origins, directions)
    shaped = space.clip(origins.view(6, 8, 3), directions.view(6, 8, 3))
    torch.testing.assert_close(shaped.start.view(-1, 3), flat.start)
    torch.testing.assert_close(shaped.at(torch.rand(6, 8, 5)).shape, torch.Size([6, 8, 5, 3]))
    part = shaped.pick(torch.tensor([1, 5]))
    torch.testing.assert_close(part.end, shaped.end[:, [1, 5]])
    torch.testing.assert_close(part.w_out, shaped.w_out[:, [1, 5]])
