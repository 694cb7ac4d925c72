"""Structure from motion of pooled matches: incremental or global, then a robust adjustment (child only).

The last adjustment has a Cauchy loss: the squared loss of the mappers bends the focal length by percents when
pictures are small and matches imprecise.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pycolmap

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_format.errors import CaptureError

from .fisheye import FISHEYE, convert_to_fisheye, mapped_as, shows_its_distortion
from .problem import EMPTY, LensGroup, Problem, Solution, lens_of_colmap
from .verification import two_view_geometry, two_view_options

_ERROR = 2.0  # pixels, of the verification of pooled matches
_INLIERS, _RATIO = 20, 0.4  # least number and ratio
_CAUCHY = 0.5  # pixels, the scale of the loss
_FIRST_PAIR_INLIERS, _FIRST_PAIR_DEGREES, _POSE_INLIERS = 40, 8.0, 15


def solve_all(request: dict[str, Any]) -> Iterator[None]:
    """Write the solution of every problem of a request; an empty one when nothing was reconstructed.

    ``items`` are pairs of paths: a problem and the solution to write.
    """
    for source, target in request["items"]:
        solve(Problem.read(Path(source))).write(Path(target))
        yield


def solve(problem: Problem) -> Solution:
    """Reconstruct poses, lenses and points."""
    pycolmap.set_random_seed(problem.seed)
    with TemporaryDirectory(prefix="dynerf-calibrate-") as folder:
        database = Path(folder) / "database.db"
        verified = _write_database(problem, database)
        found = _map(problem, database, Path(folder))
    if found is None:
        return EMPTY
    _adjust(found, problem)
    try:
        return _solution(found, problem, verified)
    except CaptureError:  # a lens that no camera can have: the solution is wrong
        return EMPTY


def _write_database(problem: Problem, path: Path) -> int:
    """Write cameras, positions and verified matches; the number of matches."""
    database = pycolmap.Database.open(path)
    with contextlib.closing(database):
        cameras = [_camera(group) for group in problem.groups]
        ids = [database.write_camera(camera) for camera in cameras]
        for number, camera in zip(ids, cameras, strict=True):
            camera.camera_id = number
        rigs = [database.write_rig(_rig(number)) for number in ids]
        images = {}
        for name, group in problem.group.items():
            images[name] = database.write_image(pycolmap.Image(name=name, camera_id=ids[group]))
            database.write_frame(_frame(rigs[group], ids[group], images[name]))
            database.write_keypoints(images[name], problem.matches.positions[name].astype(np.float32))
        options = two_view_options(_ERROR, _INLIERS, _RATIO, problem.seed)
        total = 0
        for (first, second), matches in problem.matches.pairs.items():
            pair = cameras[problem.group[first]], cameras[problem.group[second]]
            places = problem.matches.positions[first], problem.matches.positions[second]
            geometry = two_view_geometry(pair, places, matches, options)
            if len(geometry.inlier_matches) < _INLIERS:
                continue
            database.write_matches(images[first], images[second], np.asarray(geometry.inlier_matches))
            database.write_two_view_geometry(images[first], images[second], geometry)
            total += len(geometry.inlier_matches)
    return total


def _camera(group: LensGroup) -> Any:
    model = mapped_as(group.model)
    camera = pycolmap.Camera.create_from_model_name(1, model, group.focal, group.width, group.height)
    camera.has_prior_focal_length = group.known
    return camera


def _rig(camera: int) -> Any:
    rig = pycolmap.Rig()
    rig.add_ref_sensor(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera))
    return rig


def _frame(rig: int, camera: int, image: int) -> Any:
    frame = pycolmap.Frame()
    frame.rig_id = rig
    frame.add_data_id(pycolmap.data_t(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera), image))
    return frame


def _map(problem: Problem, database: Path, folder: Path) -> Any | None:
    mapper = _incremental if problem.mapper == "incremental" else _global
    found = mapper(problem, database, folder)
    return max(found.values(), key=lambda model: (model.num_reg_images(), model.num_points3D()), default=None)


def _incremental(problem: Problem, database: Path, folder: Path) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = problem.seed
    options.num_threads = options.mapper.num_threads = 1
    options.min_model_size = 3
    options.multiple_models = False
    options.extract_colors = False
    options.ba_refine_focal_length = not _all_known(problem)
    options.mapper.abs_pose_refine_focal_length = not _all_known(problem)
    options.mapper.init_min_num_inliers = _FIRST_PAIR_INLIERS
    options.mapper.init_min_tri_angle = _FIRST_PAIR_DEGREES
    options.mapper.abs_pose_min_num_inliers = _POSE_INLIERS
    return pycolmap.incremental_mapping(database, folder, folder, options)


def _global(problem: Problem, database: Path, folder: Path) -> Any:
    pycolmap.calibrate_view_graph(database, _view_graph_options(problem.seed))
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = options.mapper.random_seed = problem.seed
    options.num_threads = options.mapper.num_threads = 1
    options.mapper.rotation_averaging.random_seed = problem.seed
    options.mapper.global_positioning.random_seed = problem.seed
    options.mapper.global_positioning.use_gpu = False
    options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = not _all_known(problem)
    return pycolmap.global_mapping(database, folder, folder, options)


def _view_graph_options(seed: int) -> Any:
    options = pycolmap.ViewGraphCalibrationOptions()
    options.random_seed = seed
    return options


def _all_known(problem: Problem) -> bool:
    return all(group.known for group in problem.groups)


def _adjust(model: Any, problem: Problem) -> None:
    for number, camera in model.cameras.items():
        if camera.model_name == mapped_as(FISHEYE):
            convert_to_fisheye(model.camera(number))
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_focal_length = not _all_known(problem)
    options.refine_extra_params = all(shows_its_distortion(camera) for camera in model.cameras.values())
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = _CAUCHY
    options.ceres.solver_options.num_threads = 1
    pycolmap.bundle_adjustment(model, options)


def _solution(model: Any, problem: Problem, verified: int) -> Solution:
    by_name = {model.image(number).name: number for number in model.reg_image_ids()}
    names = [name for name in problem.names if name in by_name]
    place = {by_name[name]: index for index, name in enumerate(names)}
    poses, lenses = [], []
    for name in names:
        image = model.image(by_name[name])
        matrix = np.asarray(image.cam_from_world().matrix())
        poses.append(Pose(matrix[:, :3], -matrix[:, :3].T @ matrix[:, 3]))
        camera = model.cameras[image.camera_id]
        size = (camera.width, camera.height)
        lenses.append(lens_of_colmap(camera.model_name, size, [float(value) for value in camera.params]))
    points: list[np.ndarray] = []
    seen: list[tuple[float, ...]] = []
    for number in sorted(model.point3D_ids()):
        point = model.point3D(number)
        for element in point.track.elements:
            where = problem.matches.positions[names[place[element.image_id]]][element.point2D_idx]
            seen.append((len(points), place[element.image_id], where[0], where[1]))
        points.append(point.xyz)
    table = np.array(seen, np.float64).reshape(-1, 4)
    return Solution(
        tuple(names), tuple(poses), tuple(lenses), np.array(points, np.float64).reshape(-1, 3),
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:], verified,
    )  # fmt: skip
