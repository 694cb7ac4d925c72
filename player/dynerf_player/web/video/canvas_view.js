/** A canvas that shows pictures, and saves what is shown. */
export class CanvasView {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** Show an image; a coarse one is scaled to the size of the full picture, so that the layout is stable. */
  show(image, { width, height }) {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(image, 0, 0, width, height);
  }

  /** The canvas as a PNG file. */
  async screenshot() {
    return new Promise((resolve) => { this.canvas.toBlob(resolve, "image/png"); });
  }
}
