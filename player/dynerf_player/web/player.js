/**
 * Joins session, camera and canvas: on each animation frame it advances content time and camera, requests the view to
 * show, and shows the pictures received. It does not know the controls; they follow `onupdate()`.
 */
import { addressOf } from "./net/address.js";
import { Clock } from "./net/clock.js";
import { Connection } from "./net/connection.js";
import { ViewRequests } from "./net/view_requests.js";
import { PictureDecoder } from "./video/decoder.js";
import { CameraAnimation } from "./view/camera_animation.js";
import { Cameras } from "./view/cameras.js";
import { matrixFromPose } from "./view/vector.js";

const SLOW_MS = 800; // without a picture, after which the page shows that it is waiting
const DEAD_MS = 20_000; // without any message while a request is pending, after which the page reconnects

export class Player {
  /** `parts` has canvas, stats and messages; `handlers` onupdate, onbuffer(ranges), onchanged and onreopened. */
  constructor(name, description, codecs, { canvas, stats, messages }, handlers) {
    Object.assign(this, { name, canvas, stats, messages, handlers });
    Object.assign(this, { depth: false, layers: 0, resolution: "auto", codec: "" });
    Object.assign(this, { staleId: 0, hasPicture: false, serverError: null });
    this.setClip(description);
    this.requests = new ViewRequests((message) => this.connection.send(message));
    this.decoder = new PictureDecoder({
      onpicture: (head, image) => this.show(head, image),
      ondone: ({ id }) => this.connection.send({ type: "ack", id }),
      onfailure: () => this.fallBackToJpeg(),
    });
    this.connection = new Connection(addressOf("live", name), codecs, {
      onstate: (state, seconds) => this.handleState(state, seconds),
      onmessage: (message) => this.handleMessage(message),
      onpicture: (head, bytes) => this.decoder.decode({ ...head, bytes: bytes.length }, bytes),
    });
  }

  /** Take over a clip's description; called again when its file was replaced. */
  setClip(description) {
    this.animation?.stop();
    this.description = description;
    const { loop = true, speed = 1 } = this.clock ?? {};
    this.clock = Object.assign(new Clock(description), { loop, speed });
    this.cameras = new Cameras(description);
    this.animation = new CameraAnimation(this.cameras, this.clock);
    this.buffered = null;
    this.outdated = false;
  }

  start() {
    this.connection.open();
    const frame = (now) => {
      this.tick(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  tick(now) {
    if (this.outdated) return;
    this.clock.buffering = this.isBuffering(now);
    this.clock.tick(now);
    this.animation.tick(now);
    const playing = this.clock.isRunning || this.animation.isRunning;
    if (this.connection.isOpen) this.requests.update(this.view(), playing, now);
    this.showDelay(now);
    this.reconnectIfDead(now);
    this.stats.draw(now, this.codec);
    this.handlers.onupdate();
  }

  /** The view to show now, as the protocol defines it. */
  view() {
    const { camera } = this.cameras;
    return {
      frame: Number(this.clock.frame.toFixed(4)),
      camera_to_world: matrixFromPose(camera),
      fov: camera.fov,
      ...this.canvas.size(this.resolution),
      depth: this.depth,
      layers: this.layers,
    };
  }

  /** Whether the moment's data is missing and its request pending: content time stops meanwhile. */
  isBuffering(now) {
    const since = this.requests.pendingSince();
    const { frame } = this.clock;
    const available = !this.buffered || this.buffered.some(([first, last]) => first <= frame && frame <= last);
    return since !== null && now - since > SLOW_MS / 2 && !available;
  }

  show(head, image) {
    const now = performance.now();
    if (head.id <= this.staleId) return;
    const latency = this.requests.answer(head, now);
    this.canvas.show(image, this.canvas.size(this.resolution), head);
    this.stats.record(head, latency, now);
    this.hasPicture = true;
  }

  handleMessage(message) {
    if (message.type === "welcome") {
      this.codec = message.codec === "avc" ? "H.264" : "JPEG";
      if (message.codec_string) this.decoder.codecString = message.codec_string;
    } else if (message.type === "buffer") {
      this.stats.buffer = message;
      this.buffered = message.ranges;
      this.handlers.onbuffer(message.ranges);
    } else if (message.type === "error") {
      this.serverError = String(message.message);
      this.messages.notify(this.serverError);
    } else if (message.type === "changed") {
      this.outdated = true;
      this.staleId = this.requests.id;
      this.requests.reset();
      this.handlers.onchanged();
    }
  }

  /** H.264 could not be decoded: continue with JPEG. */
  fallBackToJpeg() {
    this.connection.codecs = ["jpeg"];
    this.connection.open();
  }

  handleState(state, seconds) {
    this.state = state;
    if (state === "open") {
      this.serverError = null;
      this.messages.clear();
      if (this.hasPicture) this.handlers.onreopened();
    }
    const first = state === "connecting" && !this.hasPicture && !this.serverError;
    if (first) this.messages.show("Connecting", { busy: true });
    if (state === "busy" || state === "lost") this.showDisconnected(state, seconds);
    if (state !== "connecting") return;
    this.decoder.reset();
    this.requests.reset();
  }

  showDisconnected(state, seconds) {
    const retry = `Trying again in ${Math.max(1, Math.round(seconds))} s.`;
    const [title, detail] = state === "busy"
      ? ["All sessions are in use", `This page waits for a free one. ${retry}`]
      : ["Connection lost", this.serverError ? `${this.serverError} ${retry}` : retry];
    const onretry = () => this.connection.retry();
    this.messages.show(title, { detail, busy: true, onretry, overlay: this.hasPicture });
  }

  /** Show that a picture takes long, until it is received. */
  showDelay(now) {
    if (this.state !== "open") return;
    const since = this.requests.pendingSince();
    const slow = since !== null && now - since > SLOW_MS;
    if (slow && !this.hasPicture) this.messages.show("Loading", { busy: true });
    else if (slow && this.clock.buffering) this.messages.show("Buffering", { busy: true, overlay: true });
    else if (since === null || this.hasPicture) this.messages.clear();
  }

  /** A network failure need not close the connection: reconnect when the server is silent for too long. */
  reconnectIfDead(now) {
    const since = this.requests.pendingSince();
    const { connection } = this;
    const dead = since !== null && now - Math.max(since, connection.lastReceived) > DEAD_MS;
    if (connection.isOpen && dead) connection.open();
  }
}
