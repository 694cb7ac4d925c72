/** The attribute `controls`: a play button, a seek bar, the time, and full screen. */
import { formatTime } from "../net/clock.js";

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 4.5h4v15H6zM14 4.5h4v15h-4z",
  fullscreen: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
};
const EVENTS = ["play", "pause", "ended", "seeking", "timeupdate", "durationchange", "emptied"];

/** Adds the built-in controls to a class. */
export function controls(Base) {
  return class Controls extends Base {
    static observedAttributes = [...Base.observedAttributes, "controls"];

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name !== "controls") return;
      this.bar ??= new ControlBar(this, this.find("controls"));
      this.find("controls").hidden = !this.controls;
    }
  };
}

class ControlBar {
  constructor(player, root) {
    this.player = player;
    this.play = button(() => (player.paused ? player.play().catch(() => {}) : player.pause()));
    this.seek = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 0, step: "any", value: 0 });
    this.seek.setAttribute("aria-label", "Time");
    this.seek.addEventListener("input", () => { player.currentTime = Number(this.seek.value); });
    this.time = document.createElement("span");
    const full = button(() => this.fullscreen());
    label(full, "Full screen", "fullscreen");
    full.hidden = !document.fullscreenEnabled;
    root.append(this.play, this.seek, this.time, full);
    for (const type of EVENTS) player.addEventListener(type, () => this.draw());
    this.draw();
  }

  fullscreen() {
    const refused = () => this.player.notify("Full screen is not allowed here");
    if (document.fullscreenElement === this.player) document.exitFullscreen();
    else this.player.requestFullscreen().catch(refused);
  }

  draw() {
    const { paused, currentTime, duration } = this.player;
    label(this.play, paused ? "Play" : "Pause", paused ? "play" : "pause");
    const total = Number.isFinite(duration) ? duration : 0;
    this.seek.max = String(total);
    this.seek.value = String(currentTime);
    this.time.textContent = `${formatTime(currentTime)} / ${formatTime(total)}`;
    this.seek.setAttribute("aria-valuetext", this.time.textContent);
  }
}

function button(onclick) {
  const element = Object.assign(document.createElement("button"), { type: "button" });
  element.addEventListener("click", onclick);
  return element;
}

function label(element, text, shape) {
  if (element.dataset.shape === shape) return;
  element.dataset.shape = shape;
  element.setAttribute("aria-label", text);
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[shape]);
  icon.append(path);
  element.replaceChildren(icon);
}
