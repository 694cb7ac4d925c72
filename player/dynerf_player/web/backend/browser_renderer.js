/**
 * Renders on the viewer's device: a session of `worker/` on a canvas. It has the same interface as `ServerRenderer`.
 */
import { connect } from "../worker/connect.js";
import { describe } from "./description.js";
import { toPng } from "./png.js";

const RATE_MS = 2000; // over which the picture rate is averaged

export class BrowserRenderer {
  kind = "browser";

  /**
   * `source` has the clip's address `src`, its `name`, and `options` of the session; `layers` see `limit`.
   */
  constructor({ src, name, options = {} }, layers) {
    Object.assign(this, { src, name, options, layers });
    this.canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
    this.id = 0;
    this.answers = new Map(); // requests of pictures and statistics, by id
    this.shown = []; // times of the newest pictures
    this.loaded = new Set(); // segments
    this.closed = false;
    this.reset();
  }

  reset() {
    this.sent = {};
    this.clip = null;
    this.since = null;
    this.isWaiting = true;
    this.finest = 0; // how many layers are loaded of a segment, at most
  }

  /**
   * Handlers: `onopened(description, render)`, `onpicture({id, frame, final, width, height, drawMs})`,
   * `onbuffer(ranges)`, `onstate(state)`, `onerror({name, message, fatal})`, `onunsupported(reason)`, `onchanged()`.
   */
  async start(handlers) {
    this.handlers = handlers;
    const connection = await connect(this.canvas, (message) => this.receive(message), this.options);
    if (this.closed) {
      connection.close();
      return;
    }
    this.connection = connection;
    this.open();
  }

  open(layers = this.layers) {
    this.reset();
    this.connection.send({ type: "open", url: this.src, layers });
    this.sent.layers = JSON.stringify({ layers });
  }

  /** Bytes are requested for at most so many quality layers; 0: metadata only. */
  limit(layers) {
    this.layers = layers;
  }

  /** Show a view: {frame, camera_to_world, fov, width, height, depth, layers}; called for each animation frame. */
  update(view, playing, now) {
    if (!this.clip) return;
    const layers = Math.min(this.layers, view.layers || Infinity);
    if (layers > 0 && layers < this.finest) {
      this.open(layers); // loaded layers cannot be taken back
      return;
    }
    const messages = [
      ["size", { width: view.width, height: view.height }],
      ["camera", { camera: { cameraToWorld: view.camera_to_world, fieldOfView: view.fov } }],
      ["depth", { on: view.depth }],
      ["layers", { layers }],
      ["time", { frame: view.frame, playing }],
    ];
    const changed = messages.filter(([type, fields]) => this.sent[type] !== JSON.stringify(fields));
    if (changed.length === 0) return;
    this.id += 1;
    this.since ??= now;
    for (const [type, fields] of changed) {
      this.sent[type] = JSON.stringify(fields);
      if (type !== "time") this.connection.send({ type, ...fields });
    }
    this.connection.send({ type: "time", frame: view.frame, playing, id: this.id }); // last: it names the view
  }

  receive(message) {
    if (this.closed) return;
    const handle = {
      opened: () => this.opened(message),
      waiting: () => { this.isWaiting = true; },
      layer: () => this.layerLoaded(message),
      picture: () => this.picture(message),
      unsupported: () => this.handlers.onunsupported(message.reason),
      error: () => this.failed(message),
      lost: () => this.handlers.onstate("graphics lost"),
      restored: () => this.handlers.onstate("open"),
      stats: () => this.answer(message),
      capture: () => this.answer(message),
    }[message.type];
    handle?.();
  }

  opened({ clip, render }) {
    try {
      this.description = describe(clip, this.name);
    } catch (error) {
      this.failed({ name: error.name, message: error.message, fatal: true });
      return;
    }
    Object.assign(this, { clip, render });
    this.handlers.onstate("open");
    this.handlers.onopened(this.description, render);
  }

  layerLoaded({ segment, layer }) {
    this.loaded.add(segment);
    this.finest = Math.max(this.finest, layer + 1);
    const ranges = [...this.loaded].sort((a, b) => a - b).map((index) => {
      const { start, end } = this.clip.segments[index];
      return [start, end - 1];
    });
    this.handlers.onbuffer(joined(ranges));
  }

  picture(message) {
    if (message.id === null) return; // before the first view
    const now = performance.now();
    this.isWaiting = false;
    if (message.id >= this.id) this.since = null;
    this.shown = [...this.shown.filter((time) => time > now - RATE_MS), now];
    this.latest = message;
    this.handlers.onpicture({ ...message, final: message.full && message.id >= this.id });
  }

  failed({ name, message, fatal }) {
    if (name === "ChangedError") this.handlers.onchanged();
    else this.handlers.onerror({ name, message, fatal });
  }

  /** The start of the file, as `openTrack` of `worker/sound_track.js` takes it. */
  get knownFile() {
    return this.clip && { header: this.clip.header, directory: this.clip.sounds, size: this.clip.size };
  }

  /** Whether the data of the shown moment is not there yet. */
  isMissing() {
    return this.isWaiting;
  }

  /** When the oldest view without a picture was sent (milliseconds), or null. */
  pendingSince() {
    return this.clip ? this.since : null;
  }

  /** Try again after an error. */
  retry() {
    if (this.clip) this.connection.send({ type: "load" });
    else if (this.connection) this.open();
  }

  ask(type) {
    if (!this.connection) return Promise.resolve(null);
    const id = `${type}${this.answers.size}-${performance.now()}`;
    return new Promise((resolve) => {
      this.answers.set(id, resolve);
      this.connection.send({ type, id });
    });
  }

  answer(message) {
    this.answers.get(message.id)?.(message);
    this.answers.delete(message.id);
  }

  /** The picture as a PNG file, or null when there is none. */
  async capture() {
    const found = await this.ask("capture");
    return found?.width ? toPng(found) : null;
  }

  /** What `video/stats.js` shows. */
  async stats() {
    const found = (await this.ask("stats")) ?? {};
    const now = performance.now();
    const { latest, render } = this;
    return {
      picturesPerSecond: this.shown.filter((time) => time > now - RATE_MS).length / (RATE_MS / 1000),
      drawMs: latest?.drawMs ?? null, foldMs: found.foldMs ?? null,
      width: latest?.width ?? 0, height: latest?.height ?? 0, final: latest?.full ?? false,
      frame: latest?.frame ?? null, layers: latest ? latest.layer + 1 : 0,
      fetched: found.transfer?.received ?? null, requests: found.transfer?.requests ?? null,
      total: this.clip?.size ?? null, device: found.device ?? render?.device?.name ?? "",
      fold: found.fold ?? "", foldWhy: found.why ?? "", memory: found.bytes ?? null, budget: found.budget ?? null,
    };
  }

  close() {
    this.closed = true;
    this.connection?.close();
    this.answers.forEach((resolve) => resolve(null));
    this.answers.clear();
  }
}

/** Ranges [first, last] in order, neighbours joined. */
function joined(ranges) {
  return ranges.reduce((found, [first, last]) => {
    const before = found.at(-1);
    if (before && before[1] + 1 >= first) before[1] = last;
    else found.push([first, last]);
    return found;
  }, []);
}
