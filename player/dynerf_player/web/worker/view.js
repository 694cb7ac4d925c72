/** What is to be shown: camera, moment, size, colour or depth; and since when. */
import { moment, segmentAt } from "../dnv/container/header.js";
import { cameraOfView } from "../render/camera_rays.js";

const MAX_SIDE = 4096; // pixels
const SETTLED_MS = 150; // without change, after which a view counts as still

export class View {
  constructor(width, height) {
    Object.assign(this, { width, height, camera: null, frame: 0, playing: false, depth: false, id: null });
    this.version = 0; // counts changes, also of what is loaded
    this.changed = -Infinity;
  }

  change(fields) {
    if (Object.entries(fields).every(([name, value]) => this[name] === value)) return;
    Object.assign(this, fields);
    this.version += 1;
    this.changed = performance.now();
  }

  /** Of the canvas, in whole pixels. */
  resize(width, height) {
    const [w, h] = [width, height].map((side) => Math.min(Math.max(Math.round(side), 0), MAX_SIDE));
    this.change({ width: w, height: h });
  }

  /** Another clip is opened: its own camera and its first frame, unless others are set. */
  reset() {
    this.change({ camera: null, frame: 0, playing: false });
  }

  /** A clip was opened: its first camera unless one is set, and a frame that it has. Not a movement. */
  start({ header, frameCount }) {
    this.camera ??= header.cameras[0];
    this.frame = Math.min(Math.max(this.frame, 0), frameCount - 1);
    this.version += 1;
    this.changed = -Infinity;
  }

  /** Milliseconds until an unchanged view counts as still. */
  get settling() {
    return Math.max(0, this.changed + SETTLED_MS - performance.now());
  }

  get moving() {
    return this.playing || this.settling > 0;
  }

  /** {segment, moment: {frame, weight}} that is shown of a clip. */
  placeIn({ header, frameCount }) {
    const shown = moment(header, Math.min(Math.max(this.frame, 0), frameCount - 1));
    return { segment: segmentAt(header, shown.frame), moment: shown };
  }

  /** What the renderer draws at a size. */
  drawing(width, height) {
    const { camera } = this;
    const record = "fieldOfView" in camera ? cameraOfView(camera, width, height) : camera;
    return { camera: record, width, height, output: this.depth ? "depth" : "colour" };
  }
}
