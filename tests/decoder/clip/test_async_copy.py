"""Pictures are copied from their device rounded and in order; rays computed there equal those of the CPU."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera, camera_rays, camera_rays_on
from dynerf_decoder.clip.async_copy import copy_frames
from dynerf_decoder.render.frame import rgb_to_uint8
from support.device import DEVICES


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_pictures_arrive_in_order_and_rounded(device: str, count: int) -> None:
    pictures = torch.rand(count, 6, 5, 3, generator=torch.Generator().manual_seed(3)) * 1.2 - 0.1
    rendered_indices: list[int] = []

    def rendered() -> Iterator[Tensor]:
        for index, picture in enumerate(pictures):
            rendered_indices.append(index)
            yield picture.to(device)

    found = []
    for index, pixels in enumerate(copy_frames(rendered(), torch.device(device))):
        found.append(pixels.copy())
        lookahead = 1 if device == "cuda" else 0
        assert len(rendered_indices) == min(index + 1 + lookahead, count), (
            "no more pictures than necessary are rendered"
        )
    assert len(found) == count
    for pixels, picture in zip(found, pictures, strict=True):
        assert np.array_equal(pixels, rgb_to_uint8(picture))


def test_an_error_of_the_renderer_is_raised() -> None:
    def rendered() -> Iterator[Tensor]:
        yield torch.zeros(2, 2, 3)
        raise ZeroDivisionError

    received: list[np.ndarray] = []
    with pytest.raises(ZeroDivisionError):
        received.extend(copy_frames(rendered(), torch.device("cpu")))
    assert len(received) <= 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pixels", [None, slice(5, 77), slice(0, 0), slice(90, 500)])
def test_rays_computed_on_the_device_are_the_same(device: str, pixels: slice | None) -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    pose = np.concatenate([rotation, [[0.3], [-2.0], [3.0]]], axis=1)
    camera = Camera("a", 13, 9, 11.3, 12.1, 6.2, 4.9, pose)
    expected, found = camera_rays(camera, "cpu", pixels), camera_rays_on(camera, device, pixels)
    for one, other, kind in zip(expected, found, (torch.float64, torch.float32), strict=True):
        assert other.dtype == kind
        torch.testing.assert_close(other.cpu(), one, rtol=0, atol=1.2e-7)
