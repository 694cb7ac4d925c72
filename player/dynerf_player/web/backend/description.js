/**
 * What a player needs to know of a clip, computed from its header: the record that a server sends as
 * `clips/NAME.json`, see PROTOCOL.md.
 */
import { FormatError } from "../dnv/errors.js";
import { depthRange } from "../render/camera_rays.js";
import { focusPoint, upAxis } from "../view/rig.js";
import { length } from "../view/vector.js";

const MARGIN = 0.1; // of the diagonal of the viewing volume, as in `cameras/viewing_volume.py`
const MAX_DISTANCE = 1e9; // world units from the origin
const MAX_SKEW = 1e-2; // deviation of R^T R from the identity
const MAX_PIXELS = 1e9; // of focal lengths and principal points; focal lengths are at least the inverse

/** The record of an opened clip, as `connect` reports it. Throws FormatError for cameras that cannot be rendered. */
export function describe({ header, segments, frameCount, frameRate, duration, size, version, sounds }, name) {
  header.cameras.forEach(checkCamera);
  checkVolume(header.viewingVolume);
  const poses = header.cameras.map((camera) => camera.cameraToWorld);
  const [near, far] = depthRange(header.space, header.cameras) ?? [null, null];
  const { width, height } = header.cameras[0];
  return {
    name, width, height, near, far,
    frames: frameCount, fps: frameRate.num / frameRate.den, seconds: duration, bytes: size, etag: version,
    layers: Math.max(...segments.map((segment) => segment.layers)),
    field: header.field.kind, sound: sounds.length > 0,
    cameras: header.cameras.map(cameraRecord),
    volume: { points: header.viewingVolume, margin: MARGIN * diagonal(header.viewingVolume) },
    focus: focusPoint(poses),
    up: upAxis(poses),
  };
}

function cameraRecord({ name, role, width, height, focalY, cameraToWorld }) {
  const fov = (2 * Math.atan(height / 2 / focalY) * 180) / Math.PI;
  return { name, role, width, height, camera_to_world: [...cameraToWorld], fov };
}

function diagonal(points) {
  return points.length === 0 ? 0 : length([0, 1, 2].map((axis) => {
    const values = points.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  }));
}

function checkCamera({ name, focalX, focalY, centreX, centreY, cameraToWorld: pose }) {
  const where = `header: camera "${name}"`;
  if (pose.some((value) => Math.abs(value) > MAX_DISTANCE)) {
    throw new FormatError(`${where}: farther than ${MAX_DISTANCE} from the origin`);
  }
  if (skew(pose) > MAX_SKEW) {
    throw new FormatError(`${where}: the first three columns of cameraToWorld are not a rotation`);
  }
  if (Math.max(focalX, focalY, 1 / focalX, 1 / focalY, Math.abs(centreX), Math.abs(centreY)) > MAX_PIXELS) {
    throw new FormatError(`${where}: focal length or principal point beyond ${MAX_PIXELS} pixels`);
  }
}

/** The largest deviation of R^T R from the identity. */
function skew(pose) {
  const product = (i, j) => [0, 4, 8].reduce((sum, row) => sum + pose[row + i] * pose[row + j], 0);
  const pairs = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => Math.abs(product(i, j) - (i === j ? 1 : 0))));
  return Math.max(...pairs);
}

function checkVolume(corners) {
  if (corners.some((corner) => corner.some((value) => Math.abs(value) > MAX_DISTANCE))) {
    throw new FormatError(`header.viewing_volume: extends farther than ${MAX_DISTANCE} from the origin`);
  }
}
