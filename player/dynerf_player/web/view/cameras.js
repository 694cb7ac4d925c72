/**
 * The viewer's camera: orbits a pivot, flies, pans, dollies, and returns to a capture camera. `camera` is
 * {position, rotation, fov}: world units, a unit quaternion, and the vertical field of view in degrees.
 */
import {
  add, conjugate, dot, fromAxisAngle, length, multiply, normalize, poseFromMatrix, rotate, scale, subtract,
} from "./vector.js";
import { ViewingVolume } from "./viewing_volume.js";

const POLE = 0.1; // radians, the least angle between the viewing direction and the vertical
const NEAREST = 0.1; // limits of the distance to the pivot, in multiples of `pivotDistance`
const FARTHEST = 8;

export class Cameras {
  constructor(description) {
    this.list = description.cameras.map((entry) => ({
      name: entry.name, role: entry.role, fov: entry.fov, ...poseFromMatrix(entry.camera_to_world),
    }));
    this.up = normalize(description.up);
    this.focus = description.focus;
    this.flying = false;
    this.volume = new ViewingVolume(description);
    this.homeIndex = 0; // of the capture camera that was last selected
    this.moveTo(this.list[0]);
  }

  /** Take the pose of another camera: a capture camera, a keyframe of a path, one from a link or on an orbit of `pivot`. */
  moveTo({ position, rotation, fov, pivot }) {
    this.camera = { position, rotation, fov };
    this.pivot = pivot ?? this.pivotOf(this.camera);
    this.pivotDistance = length(subtract(this.pivot, position));
  }

  /** The centre of a camera's orbit: the point on its optical axis that is nearest to the focus, in front of it. */
  pivotOf({ position, rotation }) {
    const forward = rotate(rotation, [0, 0, -1]);
    const depth = dot(subtract(this.focus, position), forward);
    const least = 0.3 * length(subtract(this.focus, position)) || 1;
    return add(position, scale(forward, Math.max(depth, least)));
  }

  /** The capture camera whose pose is exactly the viewer's, or undefined. */
  get captureCamera() {
    const { position, rotation } = this.camera;
    return this.list.find((entry) => entry.position === position && entry.rotation === rotation);
  }

  /** Whether the camera is outside the viewing volume. */
  get isOutside() {
    return this.volume.distance(this.camera.position) > 0;
  }

  /** Orbit the pivot, by radians to the right and upwards; the pivot keeps its position in the picture. */
  orbit(right, up) {
    this.rotateAbout(this.pivot, right, -up);
  }

  /** Rotate the camera in place, by radians to the right and upwards. */
  turn(right, up) {
    this.rotateAbout(this.camera.position, -right, up);
    this.pivot = this.pivotOf(this.camera);
  }

  /** Rotate about the vertical and the camera's own horizontal axis, both through a centre. */
  rotateAbout(centre, yaw, pitch) {
    const { position, rotation, fov } = this.camera;
    const polar = Math.acos(Math.min(1, Math.max(-1, dot(rotate(rotation, [0, 0, 1]), this.up))));
    const tilt = Math.min(Math.max(pitch, POLE - polar), Math.PI - POLE - polar);
    const rotated = (fraction) => {
      const level = multiply(fromAxisAngle(this.up, yaw * fraction), rotation);
      const tilted = multiply(fromAxisAngle(rotate(level, [1, 0, 0]), tilt * fraction), level);
      const local = rotate(conjugate(rotation), subtract(position, centre));
      return { position: add(centre, rotate(tilted, local)), rotation: tilted, fov };
    };
    const target = rotated(1);
    this.camera = rotated(this.volume.allowedFraction(position, target.position));
  }

  /** Translate camera and pivot by world units along the camera's own axes: right, up, forward. */
  translate(right, up, forward) {
    const { position, rotation, fov } = this.camera;
    const step = rotate(rotation, [right, up, -forward]);
    const fraction = this.volume.allowedFraction(position, add(position, step));
    this.camera = { position: add(position, scale(step, fraction)), rotation, fov };
    this.pivot = add(this.pivot, scale(step, fraction));
  }

  /** Multiply the distance to the pivot by a factor, below 1 to come closer. */
  dolly(factor) {
    const { position, rotation, fov } = this.camera;
    const offset = subtract(position, this.pivot);
    const requested = length(offset) * factor;
    const distance = Math.min(Math.max(requested, NEAREST * this.pivotDistance), FARTHEST * this.pivotDistance);
    const target = add(this.pivot, scale(normalize(offset), distance));
    const fraction = this.volume.allowedFraction(position, target);
    this.camera = { position: add(position, scale(subtract(target, position), fraction)), rotation, fov };
  }
}
