/** The seek bar: a slider over the clip's frames, with the buffered ranges drawn behind it and the time beside it. */
import { formatTime } from "../net/clock.js";

export class Seekbar {
  constructor(slider, tooltip, readout, clock, onseek) {
    Object.assign(this, { slider, tooltip, readout, clock });
    slider.addEventListener("input", () => onseek(Number(slider.value) / this.clock.fps));
    slider.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      onseek((Math.round(this.clock.frame) + step) / this.clock.fps);
    });
    slider.addEventListener("pointermove", (event) => this.hover(event));
    slider.addEventListener("pointerleave", () => { tooltip.hidden = true; });
    this.setClock(clock);
  }

  setClock(clock) {
    this.clock = clock;
    this.slider.max = String(Math.max(clock.frames - 1, 0));
    this.slider.disabled = clock.frames < 2;
    this.drawnFrame = null;
  }

  draw() {
    const { frame, fps, seconds } = this.clock;
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
      const [from, to] = [this.percent(first), last >= this.clock.frames - 1 ? 100 : this.percent(last)];
      return [`transparent ${from}%`, `var(--buffered) ${from}%`, `var(--buffered) ${to}%`, `transparent ${to}%`];
    });
    const image = stops.length ? `linear-gradient(to right, ${stops.join(", ")})` : "none";
    this.slider.style.setProperty("--ranges", image);
    this.slider.dataset.buffered = ranges.map((range) => range.join("-")).join(" ");
  }

  hover({ offsetX }) {
    const fraction = Math.min(Math.max(offsetX / this.slider.clientWidth, 0), 1);
    this.tooltip.textContent = formatTime((fraction * (this.clock.frames - 1)) / this.clock.fps);
    this.tooltip.style.setProperty("left", `${fraction * 100}%`);
    this.tooltip.hidden = false;
  }

  percent(frame) {
    return (100 * frame) / Math.max(this.clock.frames - 1, 1);
  }
}
