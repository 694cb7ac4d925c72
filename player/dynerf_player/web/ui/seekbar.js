/** The seek bar: a slider over the clip's frames, with the buffered ranges drawn behind it and the time beside it. */
import { formatTime } from "../net/time_text.js";

export class Seekbar {
  /** `player` is the element, which has a clip. */
  constructor(slider, tooltip, readout, player) {
    Object.assign(this, { slider, tooltip, readout, player });
    const seek = (frame) => { player.currentTime = frame / this.clip.fps; };
    slider.addEventListener("input", () => seek(Number(slider.value)));
    slider.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      seek(Math.min(Math.max(Math.round(player.frame) + step, 0), this.clip.frames - 1));
    });
    slider.addEventListener("pointermove", (event) => this.hover(event));
    slider.addEventListener("pointerleave", () => { tooltip.hidden = true; });
    this.setClip();
  }

  get clip() {
    return this.player.description;
  }

  setClip() {
    this.slider.max = String(Math.max(this.clip.frames - 1, 0));
    this.slider.disabled = this.clip.frames < 2;
    this.drawnFrame = null;
  }

  draw() {
    const { frame } = this.player;
    const { fps, seconds } = this.clip;
    if (this.drawnFrame === frame) return;
    this.drawnFrame = frame;
    this.slider.value = String(frame);
    const [now, total] = [formatTime(frame / fps), formatTime(seconds)];
    this.readout.textContent = `${now} / ${total}`;
    this.slider.setAttribute("aria-valuetext", `${now} of ${total}`);
    this.slider.style.setProperty("--played", `${this.percent(frame)}%`);
  }

  /** Draw the frame ranges [first, last] whose data has been fetched. */
  setBuffered(ranges) {
    const stops = ranges.flatMap(([first, last]) => {
      const [from, to] = [this.percent(first), last >= this.clip.frames - 1 ? 100 : this.percent(last)];
      return [`transparent ${from}%`, `var(--buffered) ${from}%`, `var(--buffered) ${to}%`, `transparent ${to}%`];
    });
    const image = stops.length ? `linear-gradient(to right, ${stops.join(", ")})` : "none";
    this.slider.style.setProperty("--ranges", image);
    this.slider.dataset.buffered = ranges.map((range) => range.join("-")).join(" ");
  }

  hover({ offsetX }) {
    const fraction = Math.min(Math.max(offsetX / this.slider.clientWidth, 0), 1);
    this.tooltip.textContent = formatTime((fraction * (this.clip.frames - 1)) / this.clip.fps);
    this.tooltip.style.setProperty("left", `${fraction * 100}%`);
    this.tooltip.hidden = false;
  }

  percent(frame) {
    return (100 * frame) / Math.max(this.clip.frames - 1, 1);
  }
}
