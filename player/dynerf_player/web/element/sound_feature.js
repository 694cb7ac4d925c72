/** The element's sound: `volume`, `muted`, and the button that unmutes what started muted. */
import { reflectBooleans } from "./player_base.js";
import { drawShape } from "./shapes.js";

/** Adds sound to a class. */
export function soundFeature(Base) {
  class SoundFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, "muted"];

    #muted = null; // null: as the attribute says
    #offersSound = false; // muted without the viewer's doing

    constructor() {
      super();
      const button = this.find("unmute");
      drawShape(button, "muted");
      button.append("Unmute");
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        this.muted = false;
      });
    }

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name === "muted") this.soundChanged();
    }

    engineReported(kind, detail) {
      super.engineReported(kind, detail);
      if (kind === "opened" || kind === "sound failed") this.soundChanged();
      if (kind === "sound blocked" && !this.muted) this.startMuted();
      if (kind === "sound failed") this.notify(detail);
    }

    unload() {
      super.unload();
      this.soundChanged();
    }

    play() {
      this.engine.sound.unlock();
      return super.play();
    }

    /** Mute, and offer to unmute: as where a page may not play sound before the viewer acts. */
    startMuted() {
      this.setMuted(true);
      this.#offersSound = true;
      this.soundChanged();
    }

    /** Whether the open clip has sound. */
    get hasSound() {
      return this.engine.description?.sound ?? false;
    }

    get volume() {
      return this.engine.sound.volume;
    }

    set volume(value) {
      const volume = Number(value);
      if (!(volume >= 0 && volume <= 1)) throw new DOMException(`volume: found ${value}, expected 0 to 1`, "IndexSizeError");
      if (volume === this.volume) return;
      this.engine.sound.setVolume(volume);
      this.media.queue("volumechange");
    }

    get muted() {
      return this.#muted ?? this.defaultMuted;
    }

    set muted(value) {
      this.#offersSound = false;
      this.setMuted(Boolean(value));
      this.engine.sound.unlock();
    }

    setMuted(muted) {
      const before = this.muted;
      this.#muted = muted;
      if (muted !== before) this.media.queue("volumechange");
      this.soundChanged();
    }

    soundChanged() {
      const { muted, hasSound } = this;
      if (this.engine.sound.muted !== muted) this.engine.sound.setMuted(muted);
      this.find("unmute").hidden = !(this.#offersSound && muted && hasSound);
    }
  }

  reflectBooleans(SoundFeature.prototype, { defaultMuted: "muted" });
  return SoundFeature;
}
