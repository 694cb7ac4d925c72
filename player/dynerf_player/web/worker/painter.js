/**
 * Draws the view of one clip with one renderer whenever something has changed: as many pixels as the device draws in
 * time while it moves, and all of them when it is still.
 */
import { MovingResolution } from "../render/moving_resolution.js";
import { Latents } from "./latents.js";

const SHORT_MS = 100; // a full picture that is drawn faster needs no coarse one before
const PLAYING_WAIT_MS = 20;
const LOST_WAIT_MS = 50;
export const NO_PICTURE = { width: 0, height: 0, pixels: new Uint8Array(0) };

export class Painter {
  /**
   * `clip`, `renderer`, `decoder`, `view`, `changes` and `canvas` are those of the session. `onPicture(picture)`,
   * `onWaiting(frame)` and `onError(error)` are called as the messages of the session describe.
   */
  constructor(session, { onPicture, onWaiting, onError }) {
    Object.assign(this, session, { onPicture, onWaiting, onError });
    this.latents = new Latents((first, last) => this.decoder.call("latents", { first, last }));
    this.resolution = new MovingResolution();
    this.shown = { version: -1, full: false };
    this.waitingFor = null;
    this.captures = [];
    this.foldMs = 0; // of the moment that was folded last
    this.stopped = false;
    this.run();
  }

  async run() {
    while (!this.stopped) {
      try {
        await this.step();
      } catch (error) {
        if (this.stopped) return;
        this.onError(error);
        await this.changes.wait();
      }
    }
  }

  /** One picture, or a pause. */
  async step() {
    const { view, shown } = this;
    const { version } = view;
    const current = shown.version === version;
    const requested = this.captures.length > 0;
    if (view.width < 1 || view.height < 1 || (current && shown.full && !requested)) {
      await this.changes.wait();
    } else if (!this.fold()) {
      await this.changes.wait();
    } else if (requested) {
      await this.capture();
    } else if (current && view.moving) {
      await this.changes.wait(Math.max(view.settling, PLAYING_WAIT_MS));
    } else {
      await this.draw(version, !current && (view.moving || this.isSlow()));
    }
  }

  /** Fold the view's moment. Returns false when it is not loaded yet; `changes` notifies when it is. */
  fold() {
    const { clip, renderer, view, latents } = this;
    const { segment, moment } = view.placeIn(clip);
    const latent = latents.at(moment);
    if (!latent || renderer.layerOf(segment) < 0) {
      if (this.waitingFor === view.frame) return false;
      this.waitingFor = view.frame;
      this.onWaiting(view.frame);
      latents.fetch(moment, clip.segments[segment].end - 1).then(
        () => this.changes.notify(),
        (error) => this.fail(error),
      );
      return false;
    }
    this.waitingFor = null;
    const start = performance.now();
    renderer.setMoment({ segment, latent });
    this.foldMs = performance.now() - start;
    return true;
  }

  fail(error) {
    if (!this.stopped) this.onError(error);
  }

  /** Request again what failed. */
  retry() {
    this.waitingFor = null;
  }

  /** Whether a full picture takes long, or its time is unknown. */
  isSlow() {
    const { speed } = this.renderer.strips;
    return speed === null || (this.view.width * this.view.height) / speed > SHORT_MS;
  }

  async draw(version, coarse) {
    const { renderer, view } = this;
    const full = [view.width, view.height];
    const [width, height] = coarse ? this.resolution.size(...full, renderer.strips.speed) : full;
    const { segment } = view.placeIn(this.clip);
    const { frame, id } = view;
    const start = performance.now();
    const isObsolete = () => this.stopped || (!coarse && view.version !== version);
    const complete = await renderer.draw(view.drawing(width, height), isObsolete);
    if (!complete && !isObsolete()) await this.changes.wait(LOST_WAIT_MS); // the context was lost
    if (!complete || this.stopped) return;
    this.show(...full);
    const drawMs = performance.now() - start;
    this.shown = { version, full: width === full[0] && height === full[1] };
    this.onPicture({
      id,
      frame,
      width,
      height,
      full: this.shown.full,
      segment,
      layer: renderer.moment.model.layer,
      drawMs,
    });
  }

  show(width, height) {
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.renderer.present();
  }

  /** Answer all requests of a picture with the view at full size: {width, height, pixels}, `NO_PICTURE` if stopped. */
  async capture() {
    const requests = this.captures.splice(0);
    const { width, height } = this.view;
    await this.renderer.draw(this.view.drawing(width, height), () => this.stopped);
    const found = this.stopped ? NO_PICTURE : { width, height, pixels: this.renderer.read() };
    requests.forEach((answer) => answer(found));
  }

  stop() {
    this.stopped = true;
    this.captures.splice(0).forEach((answer) => answer(NO_PICTURE));
    this.changes.notify();
  }
}
