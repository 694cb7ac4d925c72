"""Looks up the features of points in feature planes with torch, on any device and in any precision."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor


def look_up(
    planes: Sequence[Tensor], points: Float[Tensor, "frame point 3"]
) -> Float[Tensor, "frame point feature"]:
    """Features at cube points, scales concatenated. Differentiable in the planes.

    The planes of a scale are xy, xz and yz, with shape (frame, 3, row, column, channel). Its features are the
    products of the three bilinear look-ups (K-Planes, section 3.1).
    """
    frames, count, _ = points.shape
    # The axes of the planes xy, xz and yz, as views: indexing by lists would copy twice.
    grid = torch.stack([points[..., :2], points[..., ::2], points[..., 1:]], dim=1)
    grid = grid.view(frames * 3, 1, count, 2)
    features = []
    for each in planes:
        images = each.flatten(end_dim=1).permute(0, 3, 1, 2)
        found = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
        xy, xz, yz = found.view(frames, 3, each.shape[-1], count).unbind(dim=1)
        features.append(xy * xz * yz)
    return torch.cat(features, dim=1).transpose(1, 2)
