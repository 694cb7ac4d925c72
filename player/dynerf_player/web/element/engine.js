/**
 * Plays one clip on a stage: on each animation frame it advances content time and camera and has the shown view rendered,
 * by this browser or by a server. It has neither attributes nor media events; those follow from what it reports.
 */
import { BrowserRenderer } from "../backend/browser_renderer.js";
import { firstChoice, isAccelerated, Trial } from "../backend/choice.js";
import { Clock } from "../net/clock.js";
import { CameraAnimation } from "../view/camera_animation.js";
import { Cameras } from "../view/cameras.js";
import { pictureSize } from "../view/picture_size.js";
import { matrixFromPose } from "../view/vector.js";
import { SoundLink } from "./sound_link.js";

const SLOW_MS = 800; // without a picture, after which it shows that it is waiting
const RETRY_MS = 3000; // after the file could not be read
const SAME_FRAME = 0.01; // frames, with which pictures are recognised

export class Engine {
  /**
   * `stage` gets the canvas, `status` is a `Status`. `report(kind, detail)` is called with "opened" {first}, "picture"
   * head, "buffer" ranges, "ended", "tick" now, "failed" {name, message}, "renderer" when another side renders, and what
   * `SoundLink` reports.
   */
  constructor({ stage, status, report }) {
    Object.assign(this, { stage, status, report });
    Object.assign(this, { depth: false, layers: 0, resolution: "auto", holds: false });
    Object.assign(this, { source: null, renderer: null, description: null, why: "" });
    this.playback = { loop: false, speed: 1, playing: false, frozen: false };
    Object.assign(this, { frameRequest: null, turn: 0 }); // turn: counts the choices of a renderer
    this.sound = new SoundLink(report);
    this.closed();
  }

  /** Forget the clip. */
  closed() {
    Object.assign(this, { hasPicture: false, shownFrame: null, sought: null, state: "", lastSide: "", failure: null });
    Object.assign(this, { description: null, clock: null, cameras: null, animation: null, slow: null });
  }

  /** Open a clip: `src` and `server` are absolute addresses, `server` may be empty; `mode` see `choice.js`. */
  open({ src, name, server, mode, options }) {
    this.close();
    this.source = { src, name, server, mode, options };
    this.status.show("Loading", { busy: true });
    this.choose();
    this.frameRequest = requestAnimationFrame((now) => this.run(now));
  }

  close() {
    cancelAnimationFrame(this.frameRequest);
    clearTimeout(this.retryTimer);
    this.turn += 1;
    this.renderer?.close();
    this.renderer = null;
    this.source = null;
    this.sound.close();
    this.stage.replaceChildren();
    this.status.clear();
    this.closed();
  }

  choose() {
    const { mode, server } = this.source;
    const matters = mode === "auto" && server;
    const { kind, why } = firstChoice({ mode, hasServer: Boolean(server), isAccelerated: matters && isAccelerated() });
    if (matters && this.slow) this.use("server", this.slow);
    else this.use(kind, why);
  }

  /** Another mode was selected. */
  setMode(mode) {
    if (!this.source || this.source.mode === mode) return;
    this.source.mode = mode;
    this.choose();
  }

  /** Have a side render; the picture of the one before stays until the first one of this. */
  async use(kind, why) {
    clearTimeout(this.retryTimer);
    this.why = why;
    if (this.renderer?.kind === kind && !this.failure) {
      this.report("renderer");
      return;
    }
    this.renderer?.close();
    this.renderer = null;
    this.failure = null;
    this.turn += 1;
    const { turn } = this;
    const Renderer = await rendererClass(kind).catch(() => null);
    if (turn !== this.turn) return;
    if (Renderer) this.begin(new Renderer(this.source, this.holds ? 0 : Infinity));
    else this.fail({ name: "RemoteError", message: "A module of the player cannot be fetched." }, () => this.use(kind, why));
  }

  begin(renderer) {
    const { mode, server } = this.source;
    this.trial = renderer.kind === "browser" && mode === "auto" && server ? new Trial() : null;
    this.renderer = renderer;
    this.isNew = true;
    this.stage.append(renderer.canvas);
    this.report("renderer");
    renderer.start(this.handlersOf(renderer));
  }

  /** What a renderer calls, as long as it is the one in use. */
  handlersOf(renderer) {
    const own = (handle) => (...values) => { if (this.renderer === renderer) handle(...values); };
    return {
      onopened: own((description, render) => this.opened(description, render)),
      onpicture: own((head) => this.shown(head)),
      onbuffer: own((ranges) => this.report("buffer", ranges)),
      onstate: own((state, detail = {}) => this.handleState(state, detail)),
      onerror: own((error) => this.failed(error)),
      onunsupported: own((reason) => this.unsupported(reason)),
      onchanged: own(() => renderer.open()),
      onnotice: own((text) => this.status.notify(text)),
    };
  }

  /** Fetch metadata only, or everything. */
  hold(holds) {
    this.holds = holds;
    this.renderer?.limit(holds ? 0 : Infinity);
  }

  opened(description, render) {
    if (render?.device.software) {
      this.slow = "this device has no graphics acceleration";
      if (this.trial) return this.choose();
    }
    const before = this.description;
    this.failure = null;
    if (before && isSame(before, description)) {
      this.description = description;
      return;
    }
    this.setClip(description);
    this.report("opened", { first: before === null });
    if (before) this.status.notify("The clip was replaced by a newer version");
    if (this.holds) this.status.clear();
  }

  /** Take over a clip's description; the camera keeps its pose when the file was replaced. */
  setClip(description) {
    const camera = this.cameras?.camera;
    this.animation?.stop();
    this.description = description;
    const { loop, speed, playing, frozen } = this.playback;
    this.clock = Object.assign(new Clock(description), { loop, speed, playing, frozen });
    this.playback = this.clock;
    this.cameras = new Cameras(description);
    if (camera) this.cameras.moveTo(camera);
    this.animation = new CameraAnimation(this.cameras, this.clock);
    this.sought = null;
    const { src } = this.source;
    this.sound.open(description.sound ? { src, seconds: description.seconds, known: this.renderer.knownFile } : null);
  }

  run(now) {
    this.frameRequest = requestAnimationFrame((next) => this.run(next));
    if (this.clock && this.renderer) this.tick(now);
  }

  tick(now) {
    const { clock, animation, renderer } = this;
    const wasPlaying = clock.playing;
    clock.buffering = this.isBuffering(now);
    clock.tick(now, this.sound.follow(clock, now, this.hasPicture && !this.holds));
    this.sound.reached(clock.time);
    animation.tick(now);
    if (wasPlaying && !clock.playing && !animation.isPreview) this.report("ended");
    if (!this.holds) renderer.update(this.view(), clock.isRunning || animation.isRunning, now);
    this.showDelay(now);
    this.report("tick", now);
  }

  /** The view to show now, as the protocol defines it. */
  view() {
    const { camera } = this.cameras;
    return {
      frame: Number((this.clock.isRunning ? this.clock.frameAfter(this.sound.lead) : this.clock.frame).toFixed(4)),
      camera_to_world: matrixFromPose(camera),
      fov: camera.fov,
      ...pictureSize(this.description, this.stage.getBoundingClientRect(), this.resolution, devicePixelRatio),
      depth: this.depth,
      layers: this.layers,
    };
  }

  /** Go to a second of the clip; time stands still until it is shown. */
  seek(time) {
    this.clock.seek(time);
    this.sought = Number(this.clock.frame.toFixed(4));
  }

  /** Whether time has to stand still: nothing is shown yet, or the moment is missing and its request pending. */
  isBuffering(now) {
    if (!this.hasPicture || this.sought !== null) return true;
    const since = this.renderer.pendingSince();
    return since !== null && now - since > SLOW_MS / 2 && this.renderer.isMissing(this.clock.frame);
  }

  shown(head) {
    if (this.isNew) {
      this.isNew = false;
      this.stage.replaceChildren(this.renderer.canvas);
    }
    clearTimeout(this.retryTimer);
    this.hasPicture = true;
    this.failure = null;
    this.shownFrame = head.frame;
    this.sound.shown(head.frame / this.description.fps, performance.now());
    if (this.sought !== null && Math.abs(head.frame - this.sought) < SAME_FRAME) this.sought = null;
    this.report("picture", head);
    const { width, height } = this.view();
    this.slow ??= this.trial?.record(head, width * height);
    if (this.slow && this.trial) this.choose();
  }

  handleState(state, { seconds = 0, reason = "" }) {
    this.state = state;
    if (state === "open") this.status.clear();
    if (state === "connecting" && !this.hasPicture && !reason) this.status.show("Connecting", { busy: true });
    if (state === "graphics lost") this.status.show("The graphics device was lost", { busy: true, overlay: true });
    if (state === "busy" || state === "lost") this.showDisconnected(state, seconds, reason);
  }

  showDisconnected(state, seconds, reason) {
    const retry = `Trying again in ${Math.max(1, Math.round(seconds))} s.`;
    const [title, detail] = state === "busy"
      ? ["All sessions are in use", `This page waits for a free one. ${retry}`]
      : ["Connection lost", reason ? `${reason} ${retry}` : retry];
    const onretry = () => this.renderer.retry();
    this.status.show(title, { detail, busy: true, onretry, overlay: this.hasPicture });
  }

  /** Show that a picture takes long, until it is received. */
  showDelay(now) {
    if (this.state !== "open" || this.failure || this.holds) return;
    const since = this.renderer.pendingSince();
    const slow = since !== null && now - since > SLOW_MS;
    if (slow && !this.hasPicture) this.status.show("Loading", { busy: true });
    else if (slow && this.clock.buffering) this.status.show("Buffering", { busy: true, overlay: true });
    else if (since === null || this.hasPicture) this.status.clear();
  }

  /** An error of the side that renders: what is damaged stays so, what cannot be read may be there later. */
  failed({ name, message, fatal }) {
    const { renderer, source } = this;
    if (!fatal) {
      this.status.notify(message);
      return;
    }
    if (name === "RemoteError" && renderer.kind === "browser" && source.mode === "auto" && source.server && !this.hasPicture) {
      this.use("server", `the file cannot be fetched: ${message}`);
      return;
    }
    this.fail({ name, message });
    if (name === "RemoteError" && this.hasPicture) this.retryTimer = setTimeout(() => renderer.retry(), RETRY_MS);
  }

  /** This device cannot render the clip: the server does, or a sentence says why. */
  unsupported(reason) {
    const { mode, server } = this.source;
    if (server && mode === "auto") {
      this.use("server", reason);
      return;
    }
    const message = `This device cannot render the clip: ${reason}.`;
    if (server) this.fail({ name: "NotSupportedError", message }, () => this.letServerRender(reason), "Let the server render");
    else this.fail({ name: "NotSupportedError", message: `${message} Another device or browser may.` }, null);
  }

  letServerRender(reason) {
    this.source.mode = "auto";
    this.use("server", reason);
  }

  fail(failure, onretry = () => this.retry(), action = "Try again") {
    this.failure = failure;
    const overlay = this.hasPicture && failure.name === "RemoteError";
    const title = overlay ? "Connection lost" : "This clip cannot be shown";
    this.status.show(title, { detail: failure.message, onretry, action, overlay });
    this.report("failed", failure);
  }

  retry() {
    this.failure = null;
    this.status.show("Loading", { busy: true, overlay: this.hasPicture });
    this.renderer?.retry();
  }
}

/** The class of a side's renderer; pages without a server never load that of servers. */
async function rendererClass(kind) {
  return kind === "server" ? (await import("../backend/server_renderer.js")).ServerRenderer : BrowserRenderer;
}

/** Whether two descriptions, of a browser and of a server, are of the same file as far as both know. */
function isSame(one, other) {
  const versions = one.etag === null || other.etag === null || one.etag === other.etag;
  return versions && one.frames === other.frames && one.bytes === other.bytes && one.layers === other.layers;
}
