/**
 * The resolution of moving pictures: as many pixels as the device draws in time. Scales are steps of a ladder, with
 * hysteresis, so that the size does not flicker.
 */
const TARGET_MS = 1000 / 30; // for a moving picture
const LADDER = [1, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.0625];
const MARGIN = 0.7; // of the target, for a larger step than the present one
const MIN_SIDE = 16; // pixels

export class MovingResolution {
  constructor() {
    this.rung = LADDER.length - 1;
  }

  /** The size to draw for a full size, at a speed in pixels per millisecond; null: unknown. */
  size(width, height, speed) {
    if (speed !== null) {
      const ms = (rung) => (width * height * LADDER[rung] ** 2) / speed;
      const fitting = LADDER.findIndex((_, rung) => ms(rung) <= TARGET_MS * (rung < this.rung ? MARGIN : 1));
      this.rung = fitting < 0 ? LADDER.length - 1 : fitting;
    }
    const side = (full) => Math.min(full, Math.max(MIN_SIDE, Math.round(full * LADDER[this.rung])));
    return [side(width), side(height)];
  }
}
