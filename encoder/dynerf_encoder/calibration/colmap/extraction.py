"""Features of pictures: SIFT with affine shape and domain-size pooling, by pycolmap (child process only)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from dynerf_encoder.calibration.pairs.features import Features

_PEAK = 0.002  # of the difference of Gaussians: a third of COLMAP's, because small pictures have few features


def extract_all(request: dict[str, Any]) -> Iterator[None]:
    """Write the features of every picture of a request; yields after each.

    ``items`` are the paths of a grey picture (npy, uint8) and of the file to write, and the scale by which
    the picture was enlarged, which divides positions.
    """
    extractor = _extractor(request["most"])
    for source, target, scale in request["items"]:
        picture = np.ascontiguousarray(np.load(source, allow_pickle=False))
        keypoints, descriptors = extractor.extract_from_uint8_array(picture)
        places = np.array(pycolmap.keypoints_to_matrix(keypoints), np.float64).reshape(-1, 4)[:, :2]
        found = np.asarray(descriptors.data, np.uint8).reshape(len(places), 128)
        Features(places / scale, found).write(Path(target))
        yield


def _extractor(most: int) -> Any:
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = 1
    options.sift.max_num_features = most
    options.sift.domain_size_pooling = True
    options.sift.estimate_affine_shape = True
    options.sift.peak_threshold = _PEAK
    return pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
