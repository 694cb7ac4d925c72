/** The element's own controls: a play button, a seek bar, the time, sound where the clip has any, and full screen. */
import { formatTime } from "../net/time_text.js";
import { drawShape } from "./shapes.js";
import { addStyle } from "./style_sheets.js";

const EVENTS = ["play", "pause", "ended", "seeking", "timeupdate", "durationchange", "emptied", "volumechange"];
const STYLE = `
#controls {
  container-type: inline-size;
  position: absolute;
  left: 0;
  right: 0;
  bottom: 0;
  display: flex;
  align-items: center;
  gap: 8px;
  padding: 24px 10px 8px;
  background: linear-gradient(transparent, #000a);
  font-size: 13px;
  font-variant-numeric: tabular-nums;
}
#controls button { width: 36px; height: 36px; padding: 8px; background: transparent; }
#controls button:hover { background: #ffffff24; }
#controls svg { display: block; width: 20px; height: 20px; fill: currentColor; }
#controls input { flex: 1; min-width: 0; accent-color: var(--dynerf-accent); }
#controls input.volume { flex: 0 1 72px; }
@container (max-width: 400px) { #controls input.volume { display: none; } }
`;

export class ControlBar {
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
    this.mute = button(() => { player.muted = !player.muted; });
    this.volume = Object.assign(document.createElement("input"), { type: "range", max: 1, step: 0.05, className: "volume" });
    this.volume.setAttribute("aria-label", "Volume");
    this.volume.addEventListener("input", () => setVolume(player, Number(this.volume.value)));
    addStyle(player.shadowRoot, STYLE);
    root.append(this.play, this.seek, this.time, this.mute, this.volume, full);
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
    this.drawSound();
  }

  drawSound() {
    const { muted, volume, hasSound } = this.player;
    label(this.mute, muted ? "Unmute" : "Mute", muted ? "muted" : "sound");
    this.volume.value = String(muted ? 0 : volume);
    this.mute.hidden = this.volume.hidden = !hasSound;
  }
}

/** A selected volume unmutes, and none mutes; unmuting brings back the volume before. */
function setVolume(player, volume) {
  if (volume > 0) player.volume = volume;
  player.muted = volume === 0;
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
  drawShape(element, shape);
}
