"""Matches between cameras at one time, verified by two-view geometry (child process only).

Nine tenths of the time of a two-view geometry go into its homography, without a result for pairs that share
no plane. Where the poses are known and only to be compared with pictures, the fundamental matrix alone is
estimated; more inliers are required, because more false pairs would pass.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from jaxtyping import Float, Int

from dynerf_encoder.calibration.pairs.features import Features
from dynerf_encoder.calibration.pairs.matching import match, normalised
from dynerf_encoder.calibration.pairs.votes import LEAST_INLIERS

from .problem import write_arrays

_MAX_TRIALS = 3000  # of RANSAC: pairs that do not overlap use all of them
_LEAST_MATCHES = 15
_LEAST_BY_FUNDAMENTAL = 14  # inliers: as selective as two-view geometries of LEAST_INLIERS (measured)


_Places = tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "m 2"]]
"""Positions of both cameras' features."""


def match_all(request: dict[str, Any]) -> Iterator[None]:
    """Write the verified matches of every time of a request; yields after each camera.

    ``items`` are a mapping of camera to its file of features, and the file to write. ``sizes`` are pictures'
    widths and heights by camera, ``error`` is in pixels, ``quick`` leaves out homographies.
    """
    quick = request["quick"]
    least = _LEAST_BY_FUNDAMENTAL if quick else LEAST_INLIERS
    for files, target in request["items"]:
        features = {name: Features.read(Path(path)) for name, path in files.items()}
        descriptors = {name: normalised(found.descriptors) for name, found in features.items()}
        pairs: dict[tuple[str, str], np.ndarray] = {}
        for name in features:
            for first, second in combinations(features, 2):
                if first != name:
                    continue
                found = match(descriptors[first], descriptors[second], request["ratio"])
                places = features[first].positions, features[second].positions
                sizes = request["sizes"][first], request["sizes"][second]
                verified = found[:0]
                if len(found) >= _LEAST_MATCHES:
                    test = _by_fundamental_matrix if quick else _by_two_views
                    verified = test(places, found, sizes, request)
                if len(verified) >= least:
                    pairs[first, second] = verified
            yield
        arrays = {f"pair{index}": found for index, found in enumerate(pairs.values())}
        write_arrays(Path(target), {"pairs": [list(pair) for pair in pairs]}, arrays)


def _by_two_views(
    places: _Places, matches: Int[np.ndarray, "k 2"], sizes: tuple[Any, Any], request: Mapping[str, Any]
) -> Int[np.ndarray, "m 2"]:
    first, second = (unknown_camera(*size) for size in sizes)
    options = two_view_options(request["error"], LEAST_INLIERS, 0.0, request["seed"])
    geometry = two_view_geometry((first, second), places, matches, options)
    return np.asarray(geometry.inlier_matches, np.int64).reshape(-1, 2)


def _by_fundamental_matrix(
    places: _Places, matches: Int[np.ndarray, "k 2"], _sizes: object, request: Mapping[str, Any]
) -> Int[np.ndarray, "m 2"]:
    options = two_view_options(request["error"], _LEAST_BY_FUNDAMENTAL, 0.0, request["seed"]).ransac
    matched = places[0][matches[:, 0]], places[1][matches[:, 1]]
    found = pycolmap.estimate_fundamental_matrix(*matched, options)
    return matches[:0] if found is None else matches[np.asarray(found["inlier_mask"], bool)]


def unknown_camera(width: int, height: int) -> Any:
    """A camera of unknown focal length: only the fundamental matrix of its pairs is estimated."""
    return pycolmap.Camera.create_from_model_name(
        1, "SIMPLE_PINHOLE", 1.2 * max(width, height), width, height
    )


def two_view_options(error: float, inliers: int, ratio: float, seed: int) -> Any:
    """Options of the two-view estimation: ``error`` in pixels, least number and ratio of inliers."""
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = inliers
    options.min_inlier_ratio = ratio
    options.detect_watermark = False
    options.ransac.max_error = error
    options.ransac.max_num_trials = _MAX_TRIALS
    options.ransac.random_seed = seed
    return options


def two_view_geometry(
    cameras: tuple[Any, Any],
    positions: _Places,
    matches: Int[np.ndarray, "k 2"],
    options: Any,
) -> Any:
    """The two-view geometry of matched positions."""
    return pycolmap.estimate_two_view_geometry(
        cameras[0], positions[0], cameras[1], positions[1], matches.astype(np.uint32), options
    )
