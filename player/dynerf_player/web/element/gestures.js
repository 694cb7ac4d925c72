/**
 * Pointer and wheel input on the canvas. One finger or the left button rotates the camera; two fingers, the right
 * button or Shift pan; pinch and wheel dolly. A movement is not followed by a click.
 */
const CLICK_PIXELS = 5;
const CLICK_MS = 400;

export class Gestures {
  /**
   * `source` has `cameras` (null: there is nothing to move yet) and `canZoom`; `onstart()` and `onmove()` are called
   * before and after every movement.
   */
  constructor(surface, source, { onstart, onmove }) {
    Object.assign(this, { surface, source, onstart, onmove, listening: null });
    this.pointers = new Map();
    this.press = null;
    this.moved = false;
  }

  get cameras() {
    return this.source.cameras;
  }

  listen() {
    if (this.listening) return;
    this.listening = new AbortController();
    const { signal } = this.listening;
    const on = (kind, handle, options = {}) => this.surface.addEventListener(kind, handle, { ...options, signal });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.cameras && this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) on(kind, (event) => this.up(event));
    on("wheel", (event) => this.cameras && this.source.canZoom && this.wheel(event), { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("click", (event) => this.moved && event.stopPropagation(), { capture: true });
  }

  stop() {
    this.listening?.abort();
    this.listening = null;
    this.pointers.clear();
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
    this.onmove();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const isClick = this.press && event.type === "pointerup" && event.timeStamp - this.press.time < CLICK_MS;
    this.moved = !isClick;
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
    if (this.source.canZoom && oldSpread > 10 && newSpread > 10) this.cameras.dolly(oldSpread / newSpread);
    this.pan((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
  }

  wheel(event) {
    event.preventDefault();
    this.onstart();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 100 : event.deltaY / 3;
    this.cameras.dolly(1.1 ** Math.min(Math.max(lines, -4), 4));
    this.onmove();
  }
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
