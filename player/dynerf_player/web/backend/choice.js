/**
 * Which side renders, the browser or a server, and why. `mode` is what the viewer or the page has selected: "auto",
 * "browser" or "server"; `why` is a sentence for the statistics.
 */
const COARSE_FRACTION = 1 / 16; // of the pixels: the coarsest pictures worth looking at
const SLOWEST_MS = 100; // for such a picture
const TRIAL_PICTURES = 3; // after which a device is assessed

/** The side to start with; `isAccelerated` is what the function of this name found. */
export function firstChoice({ mode, hasServer, isAccelerated: accelerated }) {
  if (mode === "server" && hasServer) return { kind: "server", why: "selected" };
  if (mode === "browser") return { kind: "browser", why: "selected" };
  if (!hasServer) return { kind: "browser", why: "there is no server that renders" };
  if (!accelerated) return { kind: "server", why: "this browser has no accelerated WebGL 2" };
  return { kind: "browser", why: "this device can render" };
}

/** Assesses a device by its first pictures. */
export class Trial {
  constructor() {
    this.speeds = []; // pixels per millisecond
  }

  /** A picture of this many pixels took `drawMs`. Returns why the device is too slow for `full` pixels, or null. */
  record({ width, height, drawMs }, full) {
    if (this.speeds.length >= TRIAL_PICTURES) return null;
    this.speeds.push((width * height) / Math.max(drawMs, 0.1));
    if (this.speeds.length < TRIAL_PICTURES) return null;
    const coarseMs = (full * COARSE_FRACTION) / Math.max(...this.speeds);
    return coarseMs > SLOWEST_MS ? `this device takes ${Math.round(coarseMs)} ms for a coarse picture` : null;
  }
}

/** Whether the browser offers WebGL 2 that is not slow, which a page can tell without loading a clip. */
export function isAccelerated(canvas = document.createElement("canvas")) {
  const gl = canvas.getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  gl?.getExtension("WEBGL_lose_context")?.loseContext(); // free it at once: browsers limit their number
  return gl !== null;
}
