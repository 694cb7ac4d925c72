/** When a clip is fetched and when it is shown: `loading`, `preload`, `reveal`, and the poster. */
import { reflectTexts } from "./player_base.js";

const ATTRIBUTES = ["poster", "loading", "reveal", "preload"];
const NEAR = "200px"; // around the viewport, within which an element counts as visible

/** Adds loading and revealing to a class. */
export function loadingFeature(Base) {
  class LoadingFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, ...ATTRIBUTES];

    #observer = null;
    #isVisible = false; // or near the visible part of the page
    #wasInteracted = false;
    #isRevealed = false;
    #mayStart = false; // whatever the attributes say
    #loadReported = false;

    constructor() {
      super();
      this.find("poster").addEventListener("error", () => { this.find("poster").hidden = true; });
      for (const kind of ["pointerdown", "keydown"]) this.addEventListener(kind, () => this.interacted());
    }

    connected() {
      this.showPoster();
      if (this.loading === "eager" || typeof IntersectionObserver === "undefined") this.#isVisible = true;
      else this.observe();
      super.connected();
    }

    /** Fetch when the element comes near the visible part of the page. */
    observe() {
      this.#observer ??= new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#observer.disconnect();
        this.#isVisible = true;
        this.loadSoon();
      }, { rootMargin: NEAR });
      this.#observer.observe(this);
    }

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name === "poster") this.setPoster();
      if (name === "preload" || name === "loading" || name === "reveal") this.loadSoon();
    }

    setPoster() {
      const image = this.find("poster");
      image.hidden = !this.poster;
      if (this.poster) image.src = this.poster;
      else image.removeAttribute("src");
    }

    load() {
      this.#mayStart = false;
      this.showPoster();
      super.load();
    }

    mayLoad() {
      const waits = this.reveal === "interaction" && !this.#wasInteracted && this.loading !== "eager";
      const starts = this.#mayStart || this.autoplay || (this.preload !== "none" && !waits);
      return super.mayLoad() && (this.#isVisible || this.#mayStart) && starts;
    }

    /** Fetch at once, whatever the attributes say. */
    loadNow() {
      this.#mayStart = true;
      this.engine.hold(false);
      this.loadSoon();
    }

    openClip() {
      const { poster, preload, autoplay } = this;
      this.engine.hold(preload === "metadata" && Boolean(poster || this.hasPosterSlot) && !autoplay && !this.#mayStart);
      super.openClip();
    }

    interacted() {
      if (this.#wasInteracted) return;
      this.#wasInteracted = true;
      if (this.reveal === "manual") return;
      this.loadNow();
      if (this.engine.hasPicture && !this.#isRevealed) this.dismissPoster();
    }

    engineReported(kind, detail) {
      super.engineReported(kind, detail);
      if (kind === "opened") this.setAspect();
      if (kind !== "picture" || this.#isRevealed) return;
      const mayReveal = this.reveal === "auto" || (this.reveal === "interaction" && (this.#wasInteracted || this.#mayStart));
      if (mayReveal) this.dismissPoster();
      if (!this.#loadReported) this.dispatchEvent(new Event("load"));
      this.#loadReported = true;
    }

    setAspect() {
      const { width, height } = this.engine.description;
      this.find("frame").style.aspectRatio = `${width} / ${height}`;
      this.find("sizer").style.width = `${width}px`; // where the page leaves the width to the content
    }

    /** Show the clip, and fetch it when it was not. */
    dismissPoster() {
      if (!this.isOpen || this.engine.holds) this.loadNow();
      this.#isRevealed = true;
      this.find("poster-layer").hidden = true;
      this.dispatchEvent(new Event("poster-dismissed"));
    }

    /** Show the poster above the clip. */
    showPoster() {
      this.#isRevealed = false;
      this.#loadReported = false;
      this.find("poster-layer").hidden = !(this.poster || this.hasPosterSlot);
    }

    get hasPosterSlot() {
      return this.querySelector(':scope > [slot="poster"]') !== null;
    }

    /** Whether the clip has a picture. */
    get loaded() {
      return this.engine.hasPicture;
    }

    get modelIsVisible() {
      return this.#isRevealed && this.engine.hasPicture;
    }

    get poster() {
      return this.addressIn("poster");
    }

    set poster(value) {
      this.setAttribute("poster", value);
    }
  }

  reflectTexts(LoadingFeature.prototype, {
    loading: ["loading", "auto", "lazy", "eager"], // the first two fetch near the viewport
    reveal: ["reveal", "auto", "interaction", "manual"],
  });
  return LoadingFeature;
}
