/** The viewer's camera: attributes named as those of `<model-viewer>`, gestures, and flights. */
import { cameraOnOrbit, orbitAxes, orbitOf, parseAmount, parseOrbit, parseTarget } from "../view/orbit.js";
import { poseFromMatrix } from "../view/vector.js";
import { Gestures } from "./gestures.js";
import { reflectBooleans, reflectTexts } from "./player_base.js";

const POSE = ["camera-orbit", "camera-target", "field-of-view", "view"];
const ATTRIBUTES = [...POSE, "camera-controls", "auto-rotate", "disable-zoom"];
const ROTATION_DELAY_MS = 3000; // without interaction, after which the camera rotates
const RADIANS_PER_MS = Math.PI / 32 / 1000;
const FOV = { least: 1, greatest: 170 }; // degrees

/** Adds the camera to a class. */
export function cameraFeature(Base) {
  class CameraFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, ...ATTRIBUTES];

    #lastCamera = null;
    #lastMove = -Infinity;
    #lastTick = null;
    #source = "none"; // of the next change
    #rotation = 1; // direction of the automatic rotation
    #gestures;

    constructor() {
      super();
      const element = this;
      const source = { get cameras() { return element.cameras; }, get canZoom() { return !element.disableZoom; } };
      this.#gestures = new Gestures(this.find("stage"), source, {
        onstart: () => this.engine.animation?.stop(), onmove: () => this.moved("user-interaction"),
      });
    }

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name === "camera-controls" && this.cameraControls) this.#gestures.listen();
      else if (name === "camera-controls") this.#gestures.stop();
      if (POSE.includes(name) && this.cameras) this.goTo(this.attributeCamera(), { animated: true });
    }

    engineReported(kind, detail) {
      super.engineReported(kind, detail);
      if (kind === "opened" && detail.first && POSE.some((name) => this.hasAttribute(name))) {
        this.goTo(this.attributeCamera(), { animated: false });
      }
      if (kind === "tick") this.cameraTicked(detail);
    }

    cameraTicked(now) {
      const passed = this.#lastTick === null ? 0 : now - this.#lastTick;
      this.#lastTick = now;
      const { animation, cameras, hasPicture } = this.engine;
      const rotates = this.autoRotate && !matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (rotates && hasPicture && !animation.isRunning && now - this.#lastMove > ROTATION_DELAY_MS) {
        this.rotate(Math.min(passed, 100) * RADIANS_PER_MS);
      }
      if (cameras.camera === this.#lastCamera) return;
      const first = this.#lastCamera === null;
      this.#lastCamera = cameras.camera;
      if (!first) this.dispatchEvent(new CustomEvent("camera-change", { detail: { source: this.#source } }));
      this.#source = "none";
    }

    /** Rotate about the vertical; at the border of the viewing volume the direction is reversed. */
    rotate(angle) {
      const { cameras } = this;
      const before = cameras.volume.distance(cameras.camera.position);
      cameras.orbit(this.#rotation * angle, 0);
      this.#source = "automatic";
      const after = cameras.volume.distance(cameras.camera.position);
      if (after > before) this.#rotation = -this.#rotation;
    }

    /** The viewer has moved the camera. */
    moved(source) {
      this.#source = source;
      this.#lastMove = performance.now();
    }

    /** The camera that the attributes describe. */
    attributeCamera() {
      const { cameras } = this;
      const view = cameras.list.findIndex(({ name }) => name === this.getAttribute("view"));
      if (view >= 0) cameras.homeIndex = view;
      const home = cameras.list[cameras.homeIndex];
      const isOrbit = ["camera-orbit", "camera-target"].some((name) => this.hasAttribute(name));
      const fov = this.attributeFov(home.fov);
      if (!isOrbit) return { ...home, fov };
      const target = parseTarget(this.getAttribute("camera-target"), cameras.pivotOf(home)) ?? cameras.pivotOf(home);
      const axes = this.orbitAxes(target);
      const auto = orbitOf(home.position, target, axes);
      const orbit = parseOrbit(this.getAttribute("camera-orbit"), auto) ?? auto;
      return { ...cameraOnOrbit(orbit, target, axes, fov), pivot: target };
    }

    attributeFov(auto) {
      const radians = parseAmount(this.getAttribute("field-of-view") ?? "auto", { auto: (auto * Math.PI) / 180, angle: true });
      if (radians === null) return auto;
      return Math.min(Math.max((radians * 180) / Math.PI, FOV.least), FOV.greatest);
    }

    orbitAxes(target) {
      const { cameras } = this;
      return orbitAxes(cameras.up, cameras.list[0], target);
    }

    /** Move to a camera, in a short flight or at once. */
    goTo(target, { animated }) {
      const { animation, cameras } = this.engine;
      animation.stop();
      if (animated) animation.flyTo(target);
      else cameras.moveTo(target);
    }

    /** Play a camera path (`view/camera_path.js`), with content time; `ondone` is called when it ends or is stopped. */
    preview(path, ondone) {
      this.pause();
      this.engine.animation.preview(path, ondone);
    }

    get isPreviewing() {
      return this.engine.animation?.isPreview ?? false;
    }

    /** Whether the camera moves by itself. */
    get isFlying() {
      return this.engine.animation?.isRunning ?? false;
    }

    /** End a flight or a preview where it is. */
    stopCamera() {
      this.engine.animation?.stop();
    }

    /** Go to a pose: `cameraToWorld` (twelve numbers) and `fieldOfView` (degrees, vertical). */
    setCamera({ cameraToWorld, fieldOfView }) {
      const valid = Array.isArray(cameraToWorld) && cameraToWorld.length === 12 && cameraToWorld.every(isCoordinate);
      if (!valid) throw new TypeError("setCamera: expected cameraToWorld as twelve numbers of at most 1e9");
      const fov = fieldOfView ?? this.cameras?.camera.fov;
      if (!(fov >= FOV.least && fov <= FOV.greatest)) {
        throw new TypeError(`setCamera: fieldOfView: found ${fov}, expected ${FOV.least} to ${FOV.greatest} degrees`);
      }
      if (!this.cameras) throw new DOMException("setCamera: the clip is not loaded yet", "InvalidStateError");
      this.goTo({ ...poseFromMatrix(cameraToWorld), fov }, { animated: false });
    }

    /** End a flight at its target. */
    jumpCameraToGoal() {
      this.engine.animation?.finish();
    }

    /** {theta, phi, radius} about the camera's target: radians and world units. */
    getCameraOrbit() {
      const { cameras } = this;
      if (!cameras) return null;
      const orbit = orbitOf(cameras.camera.position, cameras.pivot, this.orbitAxes(cameras.pivot));
      return { ...orbit, toString: () => `${orbit.theta}rad ${orbit.phi}rad ${orbit.radius}m` };
    }

    /** {x, y, z} of the point that the camera orbits. */
    getCameraTarget() {
      if (!this.cameras) return null;
      const [x, y, z] = this.cameras.pivot;
      return { x, y, z, toString: () => `${x}m ${y}m ${z}m` };
    }

    /** Vertical, in degrees. */
    getFieldOfView() {
      return this.cameras?.camera.fov ?? null;
    }

    /** The capture cameras: [{name, role, fov, position, rotation}]. */
    get captureCameras() {
      return this.cameras?.list ?? [];
    }

    /** The camera and its movements (`view/cameras.js`), or null while there is no clip. */
    get cameras() {
      return this.engine.cameras;
    }
  }

  reflectTexts(CameraFeature.prototype, {
    cameraOrbit: ["camera-orbit", "auto auto auto"], cameraTarget: ["camera-target", "auto auto auto"],
    fieldOfView: ["field-of-view", "auto"], view: ["view", ""],
  });
  reflectBooleans(CameraFeature.prototype, {
    cameraControls: "camera-controls", autoRotate: "auto-rotate", disableZoom: "disable-zoom",
  });
  return CameraFeature;
}

const isCoordinate = (value) => Number.isFinite(value) && Math.abs(value) <= 1e9;
