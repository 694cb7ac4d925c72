/**
 * A clip shown on a canvas: binds the decoder and the renderer. Runs in a worker on an OffscreenCanvas, or in the page.
 *
 * Messages in, each {type, ...}:
 *   open {url | bytes, limits?, layers?}   a clip; `layers`: at most so many quality layers
 *   load                                   try again what failed
 *   camera {camera}                        {cameraToWorld, fieldOfView}, degrees and vertical, or a camera of the header
 *   time {frame, playing, id?}             the moment in frames, fractional; whether it advances by itself; `id` names the
 *                                          view that these messages describe so far, for `picture`
 *   size {width, height}                   of the canvas in device pixels, at most 4096 each
 *   depth {on}                             depth instead of colour
 *   layers {layers}                        at most so many quality layers from now on
 *   stats {id}, capture {id}               answered by the same type and id
 *   dispose
 *
 * Messages out:
 *   opened {clip, render}                  what `decoder_methods.js` returns; {fold, why, device} of the renderer
 *   waiting {frame}                        the moment is not loaded yet
 *   layer {segment, layer}                 a layer of a segment is loaded
 *   picture {id, frame, width, height, full, segment, layer, drawMs}   is on the canvas; `full`: at full size
 *   unsupported {reason}                   the server has to render; nothing is drawn
 *   error {name, message, fatal}           `fatal`: the moment cannot be shown
 *   lost, restored                         the graphics context
 *   stats {id, ...}                        see `stats`
 *   capture {id, width, height, pixels}    RGBA of a full picture, the top row first; no pixels without a picture
 *   disposed
 */
import { memoryBudget } from "../render/graphics_memory.js";
import { watchContext } from "../render/lost_context.js";
import { Renderer } from "../render/renderer.js";
import { Unsupported } from "../render/unsupported.js";
import { ChangeSignal } from "./change_signal.js";
import { Loader } from "./loader.js";
import { NO_PICTURE, Painter } from "./painter.js";
import { View } from "./view.js";

const CONTEXT = { alpha: false, antialias: false, depth: false, powerPreference: "high-performance" };

export class Session {
  /**
   * `send(message)` sends a message out; `decoder` is a `Caller` of `decoder_methods.js`. Options: `budget` of graphics
   * memory in bytes; the others are those of `Renderer.create`.
   */
  constructor(canvas, decoder, send, { budget = memoryBudget(globalThis.navigator), ...options } = {}) {
    Object.assign(this, { canvas, decoder, send, budget, options });
    this.view = new View(canvas.width, canvas.height);
    this.changes = new ChangeSignal();
    this.opening = new AbortController();
    this.clip = null;
    this.renderer = null;
    this.layers = Infinity;
    this.unwatch = watchContext(canvas, {
      onLost: () => this.lost(),
      onRestored: () => this.restored(),
      onGivenUp: () => this.report(new Unsupported("the graphics context was lost and did not come back")),
    });
  }

  give(type, fields = {}) {
    this.send({ type, ...fields });
  }

  /** Handle a message. */
  receive({ type, id, ...fields }) {
    const handlers = {
      open: () => this.open(fields),
      load: () => [this.loader, this.painter].forEach((part) => part?.retry()),
      camera: () => this.view.change({ camera: fields.camera }),
      time: () => this.view.change({ frame: fields.frame, playing: fields.playing ?? false, id: id ?? null }),
      size: () => this.view.resize(fields.width, fields.height),
      depth: () => this.view.change({ depth: fields.on }),
      layers: () => this.limitLayers(fields.layers),
      stats: () => this.sendStats(id),
      capture: () => this.capture((picture) => this.give("capture", { id, ...picture })),
      dispose: () => this.dispose(),
    };
    handlers[type]?.();
    this.loader?.reconsider();
    this.changes.notify();
  }

  /** Open a clip; the one before is closed. */
  async open({ layers = Infinity, ...source }) {
    this.close();
    this.view.reset();
    this.layers = layers;
    const { signal } = this.opening;
    try {
      const clip = await this.decoder.call("open", source, { signal });
      const renderer = await this.createRenderer(clip.header);
      if (signal.aborted) {
        renderer.dispose();
        return;
      }
      this.clip = clip;
      this.view.start(clip);
      const { plan, device } = renderer;
      this.give("opened", { clip, render: { fold: plan.fold, why: plan.why, device } });
      this.start(renderer);
    } catch (error) {
      if (!signal.aborted) this.report(error, true);
    }
  }

  /** Draw the open clip with a renderer, and load what it needs. */
  start(renderer) {
    const { clip, decoder, view, changes, canvas, budget, layers } = this;
    this.renderer = renderer;
    this.loader = new Loader(
      { clip, renderer, decoder, view, changes, budget },
      {
        layers,
        onLayer: (job) => {
          view.version += 1;
          this.give("layer", job);
        },
        onError: (error, fatal) => this.report(error, fatal),
      },
    );
    this.painter = new Painter(
      { clip, renderer, decoder, view, changes, canvas },
      {
        onPicture: (picture) => this.give("picture", picture),
        onWaiting: (frame) => this.give("waiting", { frame }),
        onError: (error) => this.report(error, true),
      },
    );
  }

  async createRenderer(header) {
    const gl = this.canvas.getContext("webgl2", CONTEXT);
    if (gl === null) throw new Unsupported("this browser offers no WebGL 2");
    return Renderer.create(gl, header, { ...this.options, budget: this.budget });
  }

  capture(answer) {
    if (this.painter) this.painter.captures.push(answer);
    else answer(NO_PICTURE);
  }

  limitLayers(layers) {
    this.layers = layers;
    if (this.loader) this.loader.layers = layers;
  }

  report(error, fatal = true) {
    if (error.name === "Unsupported") this.give("unsupported", { reason: error.message });
    else this.give("error", { name: error.name, message: error.message, fatal });
  }

  lost() {
    this.stop();
    this.renderer = null; // all of its objects are gone
    this.give("lost");
  }

  /** Everything is compiled and loaded anew. */
  async restored() {
    if (!this.clip) return;
    const { signal } = this.opening;
    try {
      const renderer = await this.createRenderer(this.clip.header);
      if (signal.aborted) return;
      this.give("restored");
      this.view.version += 1;
      this.start(renderer);
    } catch (error) {
      if (!signal.aborted) this.report(error);
    }
  }

  async sendStats(id) {
    const transfer = await this.decoder.call("transfer").catch(() => null);
    this.give("stats", { id, transfer, ...this.stats() });
  }

  /** How the clip is rendered, and with which memory. */
  stats() {
    const { renderer, painter, budget } = this;
    if (!renderer) return { budget };
    const { bytes, device, plan } = renderer;
    return { budget, bytes, ...plan, foldMs: painter.foldMs, device: device.name };
  }

  stop() {
    this.loader?.stop();
    this.painter?.stop();
    this.loader = null;
    this.painter = null;
  }

  close() {
    this.opening.abort(new Error("another clip was opened"));
    this.opening = new AbortController();
    this.stop();
    this.renderer?.dispose();
    this.renderer = null;
    this.clip = null;
  }

  dispose() {
    this.close();
    this.unwatch();
    this.decoder.end();
    this.give("disposed");
  }
}
