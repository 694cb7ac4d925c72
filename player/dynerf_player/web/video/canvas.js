const MAX_SIDE = 4096; // pixels, a limit of the protocol
const MAX_PIXELS = 8_000_000;

/** The canvas: shows pictures, knows which size is worth requesting, and saves what is shown. */
export class CanvasView {
  constructor(canvas, { width, height }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.setClip({ width, height });
  }

  setClip({ width, height }) {
    this.clip = { width, height };
  }

  /**
   * The size to request, in even pixels (H.264 halves the chroma): `scale` times the clip's own size, or for "auto" as
   * much of it as the screen can show.
   */
  size(scale) {
    const { width, height } = this.clip;
    const box = this.canvas.getBoundingClientRect();
    const fit = Math.min(box.width / width, box.height / height) * devicePixelRatio;
    const requested = scale === "auto" ? Math.min(1, Math.max(fit, 0.25)) : Number(scale);
    const limit = Math.min(MAX_SIDE / Math.max(width, height), Math.sqrt(MAX_PIXELS / (width * height)));
    const even = (value) => Math.max(16, 2 * Math.floor((value * Math.min(requested, limit) + 1) / 2));
    return { width: even(width), height: even(height) };
  }

  /**
   * Show an image; a coarse one is scaled to the size of the full picture, so that the layout is stable. Scripts can
   * read data-view, data-frame and data-final (nothing finer will follow) from the canvas.
   */
  show(image, { width, height }, { id, frame, final }) {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(image, 0, 0, width, height);
    Object.assign(this.canvas.dataset, { view: id, frame: frame.toFixed(3), final });
  }

  /** The canvas as a PNG file. */
  async screenshot() {
    return new Promise((resolve) => { this.canvas.toBlob(resolve, "image/png"); });
  }
}

/** Offer a file as a download. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
