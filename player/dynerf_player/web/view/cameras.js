/**
 * The viewer's camera: orbit round a pivot, fly, move sideways, come closer, and go back to a filming camera.
 * `camera` is {position, turn, fov}: world units, a unit quaternion, and the vertical field of view in degrees.
 */
import { add, compose, dot, length, poseOf, rotate, scale, subtract, turnAbout, unit } from "./vector.js";
import { Volume } from "./volume.js";

const POLE = 0.1; // radians between the view and the vertical that remain
const NEAREST = 0.1; // of the distance from the home camera to the pivot
const FARTHEST = 8;

export class Cameras {
  constructor(description) {
    this.list = description.cameras.map((entry) => ({
      name: entry.name, role: entry.role, fov: entry.fov, ...poseOf(entry.camera_to_world),
    }));
    this.up = unit(description.up);
    this.focus = description.focus;
    this.flying = false;
    this.volume = new Volume(description);
    this.homeIndex = 0;
    this.place(this.list[0]);
  }

  /** Stand where another camera stands: a filming camera, a key of a path, or one from a link. */
  place({ position, turn, fov }) {
    this.camera = { position, turn, fov };
    this.pivot = this.pivotOf(this.camera);
    this.reach = length(subtract(this.pivot, position));
  }

  /** What an orbit of a camera goes round: the point on its axis that is nearest to the focus, ahead of it. */
  pivotOf({ position, turn }) {
    const forward = rotate(turn, [0, 0, -1]);
    const ahead = dot(subtract(this.focus, position), forward);
    const least = 0.3 * length(subtract(this.focus, position)) || 1;
    return add(position, scale(forward, Math.max(ahead, least)));
  }

  /** The filming camera that the viewer stands at exactly, or undefined. */
  get atHome() {
    return this.list.find((entry) => entry.position === this.camera.position && entry.turn === this.camera.turn);
  }

  /** The filming camera that was last gone to. */
  get home() {
    return this.list[this.homeIndex];
  }

  /** Outside the viewing volume: 0 within it; see Volume. */
  get excess() {
    return this.volume.excess(this.camera.position);
  }

  /** Go round the pivot, by radians to the right and upwards; the camera keeps looking the same way at it. */
  orbit(right, up) {
    this.swing(this.pivot, right, -up);
  }

  /** Turn the view, by radians to the right and upwards, from where the camera stands. */
  look(right, up) {
    this.swing(this.camera.position, -right, up);
    this.pivot = this.pivotOf(this.camera);
  }

  /** Turn about the vertical and the camera's own horizontal axis, both through a centre. */
  swing(centre, yaw, pitch) {
    const { position, turn, fov } = this.camera;
    const polar = Math.acos(Math.min(1, Math.max(-1, dot(rotate(turn, [0, 0, 1]), this.up))));
    const tilt = Math.min(Math.max(pitch, POLE - polar), Math.PI - POLE - polar);
    const turned = (share) => {
      const level = compose(turnAbout(this.up, yaw * share), turn);
      const whole = compose(turnAbout(rotate(level, [1, 0, 0]), tilt * share), level);
      const local = rotate(inverse(turn), subtract(position, centre));
      return { position: add(centre, rotate(whole, local)), turn: whole, fov };
    };
    const all = turned(1);
    this.camera = turned(this.volume.resist(position, all.position));
  }

  /** Move by world units along the camera's own axes: right, up, forwards. Orbits go with it. */
  move(right, up, forward) {
    const { position, turn, fov } = this.camera;
    const step = rotate(turn, [right, up, -forward]);
    const share = this.volume.resist(position, add(position, step));
    this.camera = { position: add(position, scale(step, share)), turn, fov };
    this.pivot = add(this.pivot, scale(step, share));
  }

  /** Come closer to the pivot (factor below 1) or go away from it. */
  approach(factor) {
    const { position, turn, fov } = this.camera;
    const offset = subtract(position, this.pivot);
    const wanted = length(offset) * factor;
    const bounded = Math.min(Math.max(wanted, NEAREST * this.reach), FARTHEST * this.reach);
    const target = add(this.pivot, scale(unit(offset), bounded));
    const share = this.volume.resist(position, target);
    this.camera = { position: add(position, scale(subtract(target, position), share)), turn, fov };
  }
}

const inverse = ([x, y, z, w]) => [-x, -y, -z, w];
