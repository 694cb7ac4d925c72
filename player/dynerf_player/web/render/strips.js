/**
 * Draws a picture in strips, each no longer than what a device draws in a few milliseconds, so that other pages are not
 * held up and no driver resets the device. Strips are sized by the measured speed; each is awaited before the next.
 */
const TARGET_MS = 24; // for a strip
const MIN_PIXELS = 64;
const GROWTH = 4; // of a strip over the one before
const SMOOTHING = 0.5; // weight of the earlier speed

export class Strips {
  /** `first`: pixels of the very first strip, whose speed is unknown. */
  constructor(first = 4096) {
    this.first = first;
    this.speed = null; // pixels per millisecond
    this.last = first;
  }

  /** The next rectangle [x, y, width, height] of a picture of which `done` pixels, row by row, are drawn. */
  next(done, width, height) {
    const wanted = this.speed === null ? this.first : Math.min(this.speed * TARGET_MS, this.last * GROWTH);
    const pixels = Math.max(MIN_PIXELS, Math.floor(wanted));
    const [x, y] = [done % width, Math.floor(done / width)];
    if (x > 0 || pixels < width) return [x, y, Math.min(pixels, width - x), 1];
    return [0, y, width, Math.min(Math.floor(pixels / width), height - y)];
  }

  /** A strip of `pixels` took `ms`. */
  measured(pixels, ms) {
    const speed = pixels / Math.max(ms, 0.1);
    this.speed = this.speed === null ? speed : SMOOTHING * this.speed + (1 - SMOOTHING) * speed;
    this.last = pixels;
  }
}

/**
 * Draw a picture by `drawRectangle(x, y, width, height)`. `stop()` ends it before the next strip. Resolves to whether
 * the picture is complete.
 */
export async function drawInStrips(gl, strips, width, height, drawRectangle, stop) {
  for (let done = 0; done < width * height;) {
    if (stop() || gl.isContextLost()) return false;
    const rectangle = strips.next(done, width, height);
    const pixels = rectangle[2] * rectangle[3];
    const start = performance.now();
    drawRectangle(...rectangle);
    await finished(gl);
    strips.measured(pixels, performance.now() - start);
    done += pixels;
  }
  return !gl.isContextLost();
}

/** Resolves when the device has executed all commands; at once when the context is lost. */
export async function finished(gl) {
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  if (fence === null) return;
  gl.flush();
  do await turn();
  while (!gl.isContextLost() && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED);
  gl.deleteSync(fence);
}

/** One turn of the event loop. */
export const turn = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
