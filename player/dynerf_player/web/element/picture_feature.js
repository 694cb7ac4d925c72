/** What is rendered and by which side: `depth`, `layers`, `resolution`, statistics, and pictures as files. */
import { reflectBooleans } from "./player_base.js";

const ATTRIBUTES = ["depth", "layers", "resolution", "frozen"];

/** Adds pictures to a class. */
export function pictureFeature(Base) {
  class PictureFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, ...ATTRIBUTES];

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name === "depth") this.engine.depth = this.depth;
      if (name === "layers") this.engine.layers = this.layers;
      if (name === "resolution") this.engine.resolution = this.resolution;
      if (name === "frozen") this.engine.playback.frozen = this.frozen;
    }

    openClip() {
      this.engine.playback.frozen = this.frozen;
      super.openClip();
    }

    /** Scripts can read data-view, data-frame and data-final (nothing finer will follow) from the element. */
    engineReported(kind, detail) {
      super.engineReported(kind, detail);
      if (kind === "renderer") this.rendererChanged();
      if (kind !== "picture") return;
      const { id, frame, final, width, height, drawMs } = detail;
      Object.assign(this.dataset, { view: id, frame: frame.toFixed(3), final });
      this.dispatchEvent(new CustomEvent("picture", { detail: { frame, final, width, height, drawMs } }));
    }

    rendererChanged() {
      const { renderer, why, isNew } = this.engine;
      this.dataset.renderer = renderer.kind;
      if (isNew) this.dataset.final = false;
      this.dispatchEvent(new CustomEvent("renderer-change", { detail: { renderer: renderer.kind, why } }));
    }

    /** The clip's description, as `clips/NAME.json` of a server, or null. */
    get description() {
      return this.engine.description;
    }

    /** The moment in frames, fractional. */
    get frame() {
      return this.engine.clock?.frame ?? 0;
    }

    /** Pause, and go to the next whole frame forwards (1) or backwards (-1). */
    step(direction) {
      const { clock } = this.engine;
      if (!clock) return;
      this.pause();
      const before = clock.time;
      clock.step(direction);
      const { time } = clock;
      clock.time = before;
      this.currentTime = time;
    }

    /** At most so many quality layers are shown; 0: all. */
    get layers() {
      const count = Number(this.getAttribute("layers"));
      return Number.isInteger(count) && count > 0 && count < 256 ? count : 0;
    }

    set layers(value) {
      this.setAttribute("layers", value);
    }

    /** "auto", or the multiple of the clip's size that is rendered. */
    get resolution() {
      const text = this.getAttribute("resolution");
      const scale = Number(text);
      return text && scale > 0 && scale <= 4 ? scale : "auto";
    }

    set resolution(value) {
      this.setAttribute("resolution", value);
    }

    /** "browser", "server", or an empty string while nothing renders. */
    get renderer() {
      return this.engine.renderer?.kind ?? "";
    }

    /** What is shown, how fast, by which side and why, and what was fetched; see `video/stats.js`. */
    async getStats() {
      const { renderer, why, sound } = this.engine;
      if (!renderer) return { renderer: "", why: "", width: 0, height: 0 };
      return { renderer: renderer.kind, why, ...(await renderer.stats()), sound: sound.stats() };
    }

    /** The picture in full resolution as a PNG file. Rejects with "InvalidStateError" when there is none. */
    async toBlob() {
      const blob = await this.engine.renderer?.capture();
      if (!blob) throw new DOMException("toBlob: there is no picture yet", "InvalidStateError");
      return blob;
    }

    /** Show a short notice over the picture. */
    notify(text) {
      this.engine.status.notify(text);
    }
  }

  reflectBooleans(PictureFeature.prototype, { depth: "depth", frozen: "frozen" });
  return PictureFeature;
}
