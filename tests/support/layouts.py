"""Writes captures in the layouts of other programs, by formulas of its own, from the rows of a pose file.

``Rig`` holds the cameras as OpenCV states them: K with the first pixel's centre at (0.5, 0.5), R and t from
world to camera. Writers link the videos of ``videos`` or write the given pictures as PNG.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext


@dataclass(frozen=True)
class Lens:
    """Intrinsics and distortion k1 k2 p1 p2 k3 (or k1 to k4 of a fisheye)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Rig:
    """Cameras by name: lenses, rotations and translations from world to camera."""

    names: tuple[str, ...]
    lenses: tuple[Lens, ...]
    rotations: tuple[np.ndarray, ...]
    translations: tuple[np.ndarray, ...]


def rig_of_rows(names: Sequence[str], rows: np.ndarray) -> Rig:
    """From rows of ``poses_bounds.npy``: [down, right, backwards | centre | height, width, focal]."""
    lenses, rotations, translations = [], [], []
    for row in rows:
        matrix = row[:15].reshape(3, 5)
        down, right, backwards, centre, (height, width, focal) = matrix.T
        left, _, right_part = np.linalg.svd(np.stack([right, down, -backwards]))
        rotation = left @ right_part  # rows are rounded; other layouts derive t from an exact rotation
        lenses.append(Lens(int(width), int(height), focal, focal, width / 2, height / 2))
        rotations.append(rotation)
        translations.append(-rotation @ centre)
    return Rig(tuple(names), tuple(lenses), tuple(rotations), tuple(translations))


def link_videos(folder: Path, videos: Mapping[str, Path], name: str = "{}.mp4") -> None:
    """Link the cameras' videos into a folder."""
    for camera, video in videos.items():
        path = folder / name.format(camera)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(video)


def write_png(path: Path, picture: np.ndarray) -> Path:
    """A picture as PNG, without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = VideoCodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = picture.shape[1], picture.shape[0], "rgb24"
    codec.time_base = Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    packets = [*codec.encode(frame), *codec.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def write_pictures(folder: Path, pictures: Mapping[str, np.ndarray], name: str) -> None:
    """Pictures (frame, height, width, 3) of each camera; ``name`` has {camera} and {frame}."""
    for camera, frames in pictures.items():
        for frame, picture in enumerate(frames):
            write_png(folder / name.format(camera=camera, frame=frame), picture)


def nerfstudio(folder: Path, rig: Rig, files: Mapping[str, Sequence[str]], *, timed: bool = False) -> Path:
    """``transforms.json`` with one frame for each file of each camera."""
    frames = []
    for index, name in enumerate(rig.names):
        lens = rig.lenses[index]
        keys = dict(zip(("k1", "k2", "p1", "p2", "k3"), lens.distortion, strict=False))
        for number, file in enumerate(files[name]):
            frames.append(
                {
                    "file_path": file,
                    "camera_model": "OPENCV",
                    "w": lens.width,
                    "h": lens.height,
                    "fl_x": lens.fx,
                    "fl_y": lens.fy,
                    "cx": lens.cx,
                    "cy": lens.cy,
                    **keys,
                    **({"time": number / 30} if timed else {}),
                    "transform_matrix": opengl(rig, index).tolist(),
                }
            )
    path = folder / "transforms.json"
    path.write_text(json.dumps({"frames": frames}))
    return path


def opengl(rig: Rig, index: int) -> np.ndarray:
    """The 4x4 camera-to-world matrix with OpenGL's axes."""
    rotation, translation = rig.rotations[index], rig.translations[index]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.T @ np.diag([1.0, -1.0, -1.0])
    matrix[:3, 3] = -rotation.T @ translation
    return matrix


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """(w, x, y, z), by Shepperd's method: from the largest of the four."""
    trace = np.trace(rotation)
    squares = np.array([trace, *np.diag(rotation)])
    largest = int(squares.argmax())
    if largest == 0:
        w = np.sqrt(1 + trace) / 2
        off = rotation - rotation.T
        return np.array([w, off[2, 1] / (4 * w), off[0, 2] / (4 * w), off[1, 0] / (4 * w)])
    i = largest - 1
    j, k = (i + 1) % 3, (i + 2) % 3
    axis = np.sqrt(1 + rotation[i, i] - rotation[j, j] - rotation[k, k]) / 2
    found = np.zeros(4)
    found[0] = (rotation[k, j] - rotation[j, k]) / (4 * axis)
    found[1 + i] = axis
    found[1 + j] = (rotation[j, i] + rotation[i, j]) / (4 * axis)
    found[1 + k] = (rotation[k, i] + rotation[i, k]) / (4 * axis)
    return found


def colmap(
    folder: Path, rig: Rig, images: Mapping[str, str], *, binary: bool, points: Sequence[np.ndarray] = ()
) -> Path:
    """``sparse/0`` in text or binary; ``points`` are observed by all images."""
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    distorted = any(any(lens.distortion) for lens in rig.lenses)
    if binary:
        _colmap_binary(model, rig, images, points)
        return model
    cameras, rows, cloud = ["# comment"], ["# comment"], ["# comment"]
    for index, name in enumerate(rig.names):
        lens, number = rig.lenses[index], index + 7
        params = [lens.fx, lens.fy, lens.cx, lens.cy, *(lens.distortion[:4] if distorted else ())]
        kind = "OPENCV" if distorted else "PINHOLE"
        cameras.append(
            f"{number} {kind} {lens.width} {lens.height} {' '.join(map(repr, map(float, params)))}"
        )
        pose = [*quaternion(rig.rotations[index]), *rig.translations[index]]
        rows += [f"{index + 1} {' '.join(map(repr, map(float, pose)))} {number} {images[name]}", "1.0 2.0 -1"]
    track = " ".join(f"{index + 1} 0" for index in range(len(rig.names)))
    for number, point in enumerate(points):
        cloud.append(f"{number} {' '.join(map(repr, map(float, point)))} 1 2 3 0.5 {track}")
    for name, lines in (("cameras", cameras), ("images", rows), ("points3D", cloud)):
        (model / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return model


def _colmap_binary(model: Path, rig: Rig, images: Mapping[str, str], points: Sequence[np.ndarray]) -> None:
    count = struct.pack("<Q", len(rig.names))
    cameras, rows = count, count
    for index, name in enumerate(rig.names):
        lens = rig.lenses[index]
        cameras += struct.pack(
            "<iiQQ4d", index + 7, 1, lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy
        )
        pose = (*quaternion(rig.rotations[index]), *rig.translations[index])
        rows += struct.pack("<i7di", index + 1, *pose, index + 7) + images[name].encode() + b"\0"
        rows += struct.pack("<Q2dq", 1, 1.0, 2.0, -1)
    cloud = struct.pack("<Q", len(points))
    for number, point in enumerate(points):
        cloud += struct.pack("<Q3d3BdQ", number, *point, 1, 2, 3, 0.5, len(rig.names))
        cloud += b"".join(struct.pack("<ii", index + 1, 0) for index in range(len(rig.names)))
    for name, data in (("cameras", cameras), ("images", rows), ("points3D", cloud)):
        (model / f"{name}.bin").write_bytes(data)


def _yaml_matrix(name: str, matrix: np.ndarray) -> str:
    rows, columns = matrix.shape
    numbers = [f"{number:.17g}" for number in matrix.ravel()]
    lines = ",\n       ".join(", ".join(numbers[start : start + 3]) for start in range(0, len(numbers), 3))
    return f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {columns}\n   dt: d\n   data: [ {lines} ]\n"


def easyvolcap(folder: Path, rig: Rig, *, vectors: bool = False) -> Path:
    """``intri.yml`` and ``extri.yml``; with ``vectors`` rotations are only R_NN, as EasyMocap writes them."""
    names = "names:\n" + "".join(f'   - "{name}"\n' for name in rig.names)
    intrinsics, extrinsics = f"%YAML:1.0\n---\n{names}", f"%YAML:1.0\n---\n{names}"
    for index, name in enumerate(rig.names):
        lens = rig.lenses[index]
        matrix = np.array([[lens.fx, 0, lens.cx - 0.5], [0, lens.fy, lens.cy - 0.5], [0, 0, 1]])
        intrinsics += (
            _yaml_matrix(f"K_{name}", matrix) + f"H_{name}: {lens.height}.\nW_{name}: {lens.width}.\n"
        )
        intrinsics += _yaml_matrix(f"D_{name}", np.array(lens.distortion)[:, None])
        extrinsics += _yaml_matrix(f"R_{name}", rotation_vector(rig.rotations[index])[:, None])
        if not vectors:
            extrinsics += _yaml_matrix(f"Rot_{name}", rig.rotations[index])
        extrinsics += _yaml_matrix(f"T_{name}", rig.translations[index][:, None])
    (folder / "intri.yml").write_text(intrinsics)
    (folder / "extri.yml").write_text(extrinsics)
    return folder / "intri.yml"


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Axis times angle, from the quaternion."""
    w, *axis = quaternion(rotation)
    length = float(np.linalg.norm(axis))
    return np.zeros(3) if length == 0 else np.array(axis) * (2 * np.arctan2(length, w) / length)


def immersive(folder: Path, rig: Rig, *, fisheye: bool = False) -> Path:
    """``models.json``; perspective unless ``fisheye``, whose two coefficients are the first of the lens."""
    models = [
        {
            "name": name,
            "position": (-rig.rotations[index].T @ rig.translations[index]).tolist(),
            "orientation": rotation_vector(rig.rotations[index]).tolist(),
            "focal_length": rig.lenses[index].fx,
            "pixel_aspect_ratio": rig.lenses[index].fy / rig.lenses[index].fx,
            "principal_point": [rig.lenses[index].cx, rig.lenses[index].cy],
            "height": float(rig.lenses[index].height),
            "width": float(rig.lenses[index].width),
            "radial_distortion": [*rig.lenses[index].distortion[:2], 0.0],
            "projection_type": "fisheye" if fisheye else "perspective",
        }
        for index, name in enumerate(rig.names)
    ]
    path = folder / "models.json"
    path.write_text(json.dumps(models))
    return path


def panoptic(folder: Path, rig: Rig) -> Path:
    """``calibration_scene.json``, with a VGA camera that has no video."""
    cameras = [
        {
            "name": name,
            "type": "hd",
            "resolution": [rig.lenses[index].width, rig.lenses[index].height],
            "K": [
                [rig.lenses[index].fx, 0, rig.lenses[index].cx - 0.5],
                [0, rig.lenses[index].fy, rig.lenses[index].cy - 0.5],
                [0, 0, 1],
            ],
            "distCoef": list(rig.lenses[index].distortion),
            "R": rig.rotations[index].tolist(),
            "t": rig.translations[index][:, None].tolist(),
        }
        for index, name in enumerate(rig.names)
    ]
    unused = {**cameras[0], "name": "01_01", "type": "vga"}
    path = folder / "calibration_scene.json"
    path.write_text(json.dumps({"calibDataSource": "test", "cameras": [unused, *cameras]}))
    return path


def dynamic_gaussians(folder: Path, rig: Rig, files: Mapping[str, Sequence[str]]) -> Path:
    """``train_meta.json``; ``files`` are below ``ims``."""
    times = range(len(next(iter(files.values()))))
    matrices, poses = [], []
    for index in range(len(rig.names)):
        lens = rig.lenses[index]
        matrices.append([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rig.rotations[index], rig.translations[index]
        poses.append(pose.tolist())
    record = {
        "w": rig.lenses[0].width,
        "h": rig.lenses[0].height,
        "k": [matrices for _ in times],
        "w2c": [poses for _ in times],
        "fn": [[files[name][time] for name in rig.names] for time in times],
        "cam_id": [list(range(len(rig.names))) for _ in times],
    }
    path = folder / "train_meta.json"
    path.write_text(json.dumps(record))
    return path
