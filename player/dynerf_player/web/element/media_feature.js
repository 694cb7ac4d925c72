/** The element as a media element: the properties, methods and events of HTMLMediaElement, in their order. */
import { MediaState, NETWORK, READY, TimeRanges } from "./media_state.js";
import { reflectBooleans, reflectTexts } from "./player_base.js";

const ATTRIBUTES = ["autoplay", "loop"];

/** Adds the behaviour of a media element to a class. */
export function mediaFeature(Base) {
  class MediaFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, ...ATTRIBUTES];

    #rate = 1;
    #startAt = 0; // seconds, while the clip is not open

    constructor() {
      super();
      this.media = new MediaState((type) => this.dispatchEvent(new Event(type)));
      Object.assign(this, { bufferedFrames: [], defaultPlaybackRate: 1 });
    }

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name === "loop") this.engine.playback.loop = this.loop;
      if (name === "autoplay" && this.autoplay && this.isOpen && !this.media.atEnd) this.play().catch(() => {});
    }

    openClip() {
      this.bufferedFrames = [];
      this.media.load(this.autoplay);
      const { playback } = this.engine;
      this.engine.playback = { loop: this.loop, speed: this.#rate, playing: !this.media.paused, frozen: playback.frozen };
      super.openClip();
    }

    unload() {
      super.unload();
      this.media.unload();
      this.#startAt = 0;
    }

    engineReported(kind, detail) {
      super.engineReported(kind, detail);
      const handle = {
        opened: () => this.metadataLoaded(),
        picture: () => this.pictureShown(),
        buffer: () => this.fetched(detail),
        ended: () => this.media.ended(),
        tick: () => this.ticked(detail),
        failed: () => this.media.fail(detail),
      }[kind];
      handle?.();
    }

    metadataLoaded() {
      this.media.recovered();
      this.media.opened();
      if (this.#startAt > 0) this.engine.seek(this.#startAt);
      this.#startAt = 0;
    }

    pictureShown() {
      if (this.media.error) this.media.recovered();
      if (this.engine.sought === null) this.media.sought();
      this.media.available();
    }

    fetched(ranges) {
      this.bufferedFrames = ranges;
      this.media.progress();
      const { frames } = this.engine.description;
      if (ranges.length === 1 && ranges[0][0] === 0 && ranges[0][1] >= frames - 1) this.media.idle();
    }

    ticked(now) {
      const { clock, hasPicture, renderer } = this.engine;
      if (clock.playing === this.media.paused) this.followClock(clock.playing);
      if (clock.buffering && hasPicture && renderer.isMissing(clock.frame)) this.media.missing();
      else if (clock.isRunning) this.media.advanced(now);
    }

    /** A camera path has started or stopped time. */
    followClock(playing) {
      if (playing) this.media.play().catch(() => {});
      else this.media.pause();
    }

    play() {
      const { clock } = this.engine;
      if (clock && this.media.atEnd) this.currentTime = 0;
      const promise = this.media.play();
      if (this.media.error) return promise;
      this.engine.playback.playing = true;
      this.engine.hold(false);
      if (!this.isOpen) this.loadNow();
      return promise;
    }

    pause() {
      this.engine.playback.playing = false;
      this.media.pause();
    }

    /** Seek to a frame near a time: here as exact as setting `currentTime`. */
    fastSeek(time) {
      this.currentTime = time;
    }

    get currentTime() {
      if (this.media.atEnd) return this.duration;
      return this.engine.clock?.time ?? this.#startAt;
    }

    set currentTime(value) {
      const time = Number(value);
      if (!Number.isFinite(time)) throw new TypeError(`currentTime: found ${value}, expected a finite number`);
      const { engine } = this;
      if (!engine.clock) {
        this.#startAt = Math.max(0, time);
        return;
      }
      engine.animation.stop();
      this.media.seek();
      engine.seek(time);
      engine.hold(false);
      if (time >= this.duration && !this.loop && this.paused) this.media.atEnd = true;
      if (engine.shownFrame !== null && Math.abs(engine.shownFrame - engine.sought) < 1e-4) {
        engine.sought = null;
        this.media.sought();
      }
    }

    get duration() {
      return this.engine.description?.seconds ?? NaN;
    }

    get paused() {
      return this.media.paused;
    }

    get ended() {
      return this.media.atEnd && !this.loop;
    }

    get seeking() {
      return this.media.seeking;
    }

    get readyState() {
      return this.media.readyState;
    }

    get networkState() {
      return this.media.networkState;
    }

    get error() {
      return this.media.error;
    }

    get playbackRate() {
      return this.#rate;
    }

    set playbackRate(value) {
      const rate = Number(value);
      if (!(rate >= 0 && rate <= 16)) throw new DOMException(`playbackRate: found ${value}, expected 0 to 16`, "NotSupportedError");
      if (rate === this.#rate) return;
      this.#rate = rate;
      this.engine.playback.speed = rate;
      this.media.queue("ratechange");
    }

    get buffered() {
      const { description } = this.engine;
      if (!description) return new TimeRanges([]);
      const { fps, seconds } = description;
      return new TimeRanges(this.bufferedFrames.map(([first, last]) => [first / fps, Math.min((last + 1) / fps, seconds)]));
    }

    get seekable() {
      return new TimeRanges(this.engine.description ? [[0, this.duration]] : []);
    }

    get videoWidth() {
      return this.engine.description?.width ?? 0;
    }

    get videoHeight() {
      return this.engine.description?.height ?? 0;
    }

    get crossOrigin() {
      return this.getAttribute("crossorigin");
    }

    set crossOrigin(value) {
      if (value === null) this.removeAttribute("crossorigin");
      else this.setAttribute("crossorigin", value);
    }

    canPlayType(type) {
      return /^(application|video)\/(vnd\.dynerf|x-dynerf|dnv)\b/.test(type) ? "probably" : "";
    }
  }

  reflectTexts(MediaFeature.prototype, { preload: ["preload", "metadata", "none", "auto"] });
  reflectBooleans(MediaFeature.prototype, {
    autoplay: "autoplay", loop: "loop", controls: "controls", playsInline: "playsinline",
  });
  for (const [name, value] of Object.entries({ ...constants("NETWORK", NETWORK), ...constants("HAVE", READY) })) {
    for (const owner of [MediaFeature, MediaFeature.prototype]) Object.defineProperty(owner, name, { value });
  }
  return MediaFeature;
}

function constants(prefix, values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}_${name}`, value]));
}
