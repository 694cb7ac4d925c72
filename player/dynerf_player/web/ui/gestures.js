/**
 * Pointers and the wheel on the stage. One finger or the left button turns the camera; two fingers, the right button or
 * Shift move it sideways; pinch and wheel come closer; a click plays or pauses. `onstart()` precedes every movement.
 */
const CLICK_PIXELS = 5;
const CLICK_MS = 400;

export class Gestures {
  constructor(surface, cameras, { onstart, onclick }) {
    Object.assign(this, { surface, cameras, onstart, onclick });
    this.pointers = new Map();
    this.press = null;
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.moved(event));
    for (const kind of ["pointerup", "pointercancel"]) surface.addEventListener(kind, (event) => this.up(event));
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  down(event) {
    this.surface.setPointerCapture(event.pointerId);
    this.press = this.pointers.size ? null : { x: event.clientX, y: event.clientY, at: event.timeStamp };
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.slides = event.button === 2 || event.button === 1 || event.shiftKey;
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const after = [event.clientX, event.clientY];
    if (this.press && distance([this.press.x, this.press.y], after) < CLICK_PIXELS) return;
    this.press = null;
    this.onstart();
    if (this.pointers.size >= 2) this.pinch(event.pointerId, before, after);
    else if (this.slides) this.slide(after[0] - before[0], after[1] - before[1]);
    else this.turn(after[0] - before[0], after[1] - before[1]);
    this.pointers.set(event.pointerId, after);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const isClick = this.press && event.type === "pointerup" && event.timeStamp - this.press.at < CLICK_MS;
    if (isClick && event.button === 0) this.onclick(event);
    this.press = null;
  }

  /** Pixels to radians: what is under the pointer goes along with it. */
  turn(right, down) {
    const height = this.surface.clientHeight || 1;
    if (this.cameras.flying) {
      const perPixel = (this.cameras.camera.fov * Math.PI) / 180 / height;
      this.cameras.look(-right * perPixel, down * perPixel);
    } else {
      const perPixel = Math.PI / 2 / height;
      this.cameras.orbit(-right * perPixel, down * perPixel);
    }
  }

  /** Move sideways so that what lies at the pivot stays under the pointer. */
  slide(right, down) {
    const { camera, reach } = this.cameras;
    const perPixel = (2 * reach * Math.tan((camera.fov * Math.PI) / 360)) / (this.surface.clientHeight || 1);
    this.cameras.move(-right * perPixel, down * perPixel, 0);
  }

  /** Two fingers: apart is closer; both together move sideways (each of them does half). */
  pinch(id, before, after) {
    const [, other] = [...this.pointers].find(([key]) => key !== id);
    const [was, is] = [distance(other, before), distance(other, after)];
    if (was > 10 && is > 10) this.cameras.approach(was / is);
    this.slide((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
  }

  wheel(event) {
    event.preventDefault();
    this.onstart();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 100 : event.deltaY / 3;
    this.cameras.approach(1.1 ** Math.min(Math.max(lines, -4), 4));
  }
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
