/** Pixels as a PNG file. */

/** `pixels`: RGBA, the top row first. */
export function toPng({ width, height, pixels }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.byteLength), width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}
