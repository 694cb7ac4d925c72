/** The seek bar: a slider over the clip's frames, with the part that is here drawn behind it and the time beside it. */
import { timeText } from "../net/clock.js";

export class Seekbar {
  constructor(slider, bubble, readout, clock, onseek) {
    Object.assign(this, { slider, bubble, readout, clock });
    slider.addEventListener("input", () => onseek(Number(slider.value) / this.clock.fps));
    slider.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      onseek((Math.round(this.clock.frame) + step) / this.clock.fps);
    });
    slider.addEventListener("pointermove", (event) => this.hover(event));
    slider.addEventListener("pointerleave", () => { bubble.hidden = true; });
    this.setClock(clock);
  }

  setClock(clock) {
    this.clock = clock;
    this.slider.max = String(Math.max(clock.frames - 1, 0));
    this.slider.disabled = clock.frames < 2;
    this.drawn = null;
  }

  draw() {
    const { frame, fps, seconds } = this.clock;
    if (this.drawn === frame) return;
    this.drawn = frame;
    this.slider.value = String(frame);
    const [now, all] = [timeText(frame / fps), timeText(seconds)];
    this.readout.textContent = `${now} / ${all}`;
    this.slider.setAttribute("aria-valuetext", `${now} of ${all}`);
    this.slider.style.setProperty("--played", `${this.percent(frame)}%`);
  }

  /** Frame ranges [first, last] whose data is here, drawn as stretches of the bar. */
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
    const share = Math.min(Math.max(offsetX / this.slider.clientWidth, 0), 1);
    this.bubble.textContent = timeText((share * (this.clock.frames - 1)) / this.clock.fps);
    this.bubble.style.setProperty("left", `${share * 100}%`);
    this.bubble.hidden = false;
  }

  percent(frame) {
    return (100 * frame) / Math.max(this.clock.frames - 1, 1);
  }
}
