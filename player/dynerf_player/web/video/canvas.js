const MOST_SIDE = 4096; // what a server renders, in pixels
const MOST_PIXELS = 8_000_000;

/** The canvas: shows pictures, knows how large a picture is worth asking for, and saves what is seen. */
export class Stage {
  constructor(canvas, { width, height }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.setClip({ width, height });
  }

  setClip({ width, height }) {
    this.clip = { width, height };
  }

  /**
   * The size to ask for, in whole even pixels (H.264 halves its colours): `share` of the clip's own size, or for "auto"
   * what the screen can show of it.
   */
  size(share) {
    const { width, height } = this.clip;
    const box = this.canvas.getBoundingClientRect();
    const fit = Math.min(box.width / width, box.height / height) * devicePixelRatio;
    const wanted = share === "auto" ? Math.min(1, Math.max(fit, 0.25)) : Number(share);
    const most = Math.min(MOST_SIDE / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)));
    const even = (value) => Math.max(16, 2 * Math.floor((value * Math.min(wanted, most) + 1) / 2));
    return { width: even(width), height: even(height) };
  }

  /**
   * Show an image; a coarse one is enlarged to the size of the full picture, so that nothing jumps. What is shown can
   * be read from the canvas: data-view, data-frame, and data-final when nothing finer will follow.
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

  /** What is seen as a PNG file. */
  async screenshot() {
    return new Promise((resolve) => { this.canvas.toBlob(resolve, "image/png"); });
  }
}

/** Hand a file to the viewer. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
