/**
 * What a player needs to know of a clip, computed from its header: the record that a server sends as
 * `clips/NAME.json`, see PROTOCOL.md.
 */
import { FormatError } from "../dnv/errors.js";
import { depthRange } from "../render/camera_rays.js";
import { focusPoint, upAxis } from "../view/rig.js";
import { cross, dot } from "../view/vector.js";
import { diagonal } from "../view/viewing_volume.js";

const MARGIN = 0.1; // of the diagonal of the viewing volume, as in `cameras/viewing_volume.py`
const MAX_DISTANCE = 1e9; // world units from the origin
const MAX_SKEW = 1e-2; // deviation of R^T R from the identity, as in `cameras/rotation.py`
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

function checkCamera({ name, focalX, focalY, centreX, centreY, cameraToWorld: pose }) {
  const where = `header: camera "${name}"`;
  if (pose.some((value) => Math.abs(value) > MAX_DISTANCE)) {
    throw new FormatError(`${where}: farther than ${MAX_DISTANCE} from the origin`);
  }
  if (!isRotation(pose)) {
    throw new FormatError(`${where}: the 3x3 part of camera_to_world is not a rotation`);
  }
  if (Math.max(focalX, focalY, 1 / focalX, 1 / focalY, Math.abs(centreX), Math.abs(centreY)) > MAX_PIXELS) {
    throw new FormatError(`${where}: focal length or principal point beyond ${MAX_PIXELS} pixels`);
  }
}

/** Whether the first three columns are a rotation: orthogonal, of length one, and not mirrored. */
function isRotation(pose) {
  const axes = [0, 1, 2].map((i) => [pose[i], pose[4 + i], pose[8 + i]]);
  const [x, y, z] = axes;
  const isNear = (value, expected) => Math.abs(value - expected) <= MAX_SKEW;
  return dot(cross(x, y), z) > 0 && axes.every((a, i) => axes.every((b, j) => isNear(dot(a, b), i === j ? 1 : 0)));
}

function checkVolume(corners) {
  if (corners.some((corner) => corner.some((value) => Math.abs(value) > MAX_DISTANCE))) {
    throw new FormatError(`header.viewing_volume: extends farther than ${MAX_DISTANCE} from the origin`);
  }
}
