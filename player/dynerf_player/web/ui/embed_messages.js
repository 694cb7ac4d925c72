/**
 * Lets the page that embeds the player in a frame drive it by `postMessage`. Commands are taken only from the window that
 * contains the frame, and with `?origin=` only from that origin; events are sent to the origin that sent the last
 * command, and none before the first one.
 *
 * Commands: {dynerf: 1, command: "play" | "pause" | "listen"}, {..., command: "seek", time}, {..., command: "setCamera",
 * view} with a capture camera's name, or {..., cameraToWorld, fieldOfView}. Events: {dynerf: 1, event, currentTime,
 * duration, paused, ended}, of "camera-change" with `cameraToWorld` and `fieldOfView`, of "error" with `message`.
 */
import { matrixFromPose } from "../view/vector.js";

export const VERSION = 1;
const EVENTS = [
  "loadedmetadata", "canplay", "play", "playing", "pause", "waiting", "seeked", "timeupdate", "ratechange", "ended", "error",
  "camera-change",
];
const CAMERA_MS = 100; // between two events of a moving camera

export class EmbedMessages {
  /** `player` is the element; `origin` the only admitted origin, or null for any. */
  constructor(player, origin, container = window.parent) {
    Object.assign(this, { player, origin, container, target: null, lastCamera: -Infinity });
    if (container === window) return;
    addEventListener("message", (event) => this.receive(event));
    for (const type of EVENTS) player.addEventListener(type, () => this.send(type));
  }

  receive({ data, source, origin }) {
    if (source !== this.container || data === null || typeof data !== "object" || data.dynerf !== VERSION) return;
    if (this.origin !== null && origin !== this.origin) return;
    this.target = origin === "null" ? "*" : origin; // opaque origins cannot be named
    try {
      this.execute(data);
    } catch (error) {
      this.post({ event: "error", message: error.message });
    }
  }

  execute({ command, time, view, cameraToWorld, fieldOfView }) {
    const { player } = this;
    if (command === "play") player.play().catch(() => {});
    else if (command === "pause") player.pause();
    else if (command === "seek") player.currentTime = time;
    else if (command === "setCamera" && view !== undefined) this.showView(view);
    else if (command === "setCamera") player.setCamera({ cameraToWorld, fieldOfView });
    else if (command === "listen") this.send("listening");
    else throw new TypeError(`unknown command ${String(command).slice(0, 40)}`);
  }

  showView(name) {
    const found = this.player.captureCameras.find((camera) => camera.name === name);
    if (!found) throw new TypeError(`setCamera: there is no capture camera ${String(name).slice(0, 64)}`);
    this.player.goTo(found, { animated: false });
  }

  send(type) {
    const { player } = this;
    const { currentTime, duration, paused, ended } = player;
    if (type === "camera-change" && !this.isDue(performance.now())) return;
    const camera = type === "camera-change" ? this.camera : {};
    const failure = type === "error" ? { message: player.error?.message ?? "" } : {};
    this.post({ event: type, currentTime, duration, paused, ended, ...camera, ...failure });
  }

  isDue(now) {
    if (now - this.lastCamera < CAMERA_MS) return false;
    this.lastCamera = now;
    return true;
  }

  get camera() {
    const { camera } = this.player.cameras;
    return { cameraToWorld: matrixFromPose(camera), fieldOfView: camera.fov };
  }

  post(message) {
    if (this.target !== null) this.container.postMessage({ dynerf: VERSION, ...message }, this.target);
  }
}
