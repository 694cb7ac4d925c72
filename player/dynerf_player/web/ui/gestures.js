/**
 * Pointer and wheel input on the canvas. One finger or the left button rotates the camera; two fingers, the right
 * button or Shift pan; pinch and wheel dolly; a click plays or pauses. `onstart()` is called before every movement.
 */
const CLICK_PIXELS = 5;
const CLICK_MS = 400;

export class Gestures {
  constructor(surface, cameras, { onstart, onclick }) {
    Object.assign(this, { surface, cameras, onstart, onclick });
    this.pointers = new Map();
    this.press = null;
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) surface.addEventListener(kind, (event) => this.up(event));
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  down(event) {
    this.surface.setPointerCapture(event.pointerId);
    this.press = this.pointers.size ? null : { x: event.clientX, y: event.clientY, time: event.timeStamp };
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.pans = event.button === 2 || event.button === 1 || event.shiftKey;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const after = [event.clientX, event.clientY];
    if (this.press && distance([this.press.x, this.press.y], after) < CLICK_PIXELS) return;
    this.press = null;
    this.onstart();
    if (this.pointers.size >= 2) this.pinch(event.pointerId, before, after);
    else if (this.pans) this.pan(after[0] - before[0], after[1] - before[1]);
    else this.rotate(after[0] - before[0], after[1] - before[1]);
    this.pointers.set(event.pointerId, after);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const isClick = this.press && event.type === "pointerup" && event.timeStamp - this.press.time < CLICK_MS;
    if (isClick && event.button === 0) this.onclick(event);
    this.press = null;
  }

  /** Pixels to radians, such that the scene follows the pointer. */
  rotate(right, down) {
    const height = this.surface.clientHeight || 1;
    if (this.cameras.flying) {
      const perPixel = (this.cameras.camera.fov * Math.PI) / 180 / height;
      this.cameras.turn(-right * perPixel, down * perPixel);
    } else {
      const perPixel = Math.PI / 2 / height;
      this.cameras.orbit(-right * perPixel, down * perPixel);
    }
  }

  /** Move sideways, such that points at the pivot's depth follow the pointer. */
  pan(right, down) {
    const { camera, pivotDistance } = this.cameras;
    const perPixel = (2 * pivotDistance * Math.tan((camera.fov * Math.PI) / 360)) / (this.surface.clientHeight || 1);
    this.cameras.translate(-right * perPixel, down * perPixel, 0);
  }

  /** Two fingers: spreading them dollies in, moving both pans (each of them contributes half). */
  pinch(id, before, after) {
    const [, other] = [...this.pointers].find(([key]) => key !== id);
    const [oldSpread, newSpread] = [distance(other, before), distance(other, after)];
    if (oldSpread > 10 && newSpread > 10) this.cameras.dolly(oldSpread / newSpread);
    this.pan((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
  }

  wheel(event) {
    event.preventDefault();
    this.onstart();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 100 : event.deltaY / 3;
    this.cameras.dolly(1.1 ** Math.min(Math.max(lines, -4), 4));
  }
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
