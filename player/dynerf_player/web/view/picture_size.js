/** How large a picture is rendered. */
const MAX_SIDE = 4096; // pixels, a limit of the protocol
const MAX_PIXELS = 8_000_000;

/**
 * The size of pictures of a clip {width, height} in a box of CSS pixels, in even pixels (H.264 halves the chroma):
 * `scale` times the clip's own size, or for "auto" as much of it as the screen can show.
 */
export function pictureSize({ width, height }, box, scale, pixelRatio) {
  const fit = Math.min(box.width / width, box.height / height) * pixelRatio;
  const requested = scale === "auto" ? Math.min(1, Math.max(fit, 0.25)) : Number(scale);
  const limit = Math.min(MAX_SIDE / Math.max(width, height), Math.sqrt(MAX_PIXELS / (width * height)));
  const even = (value) => Math.max(16, 2 * Math.floor((value * Math.min(requested, limit) + 1) / 2));
  return { width: even(width), height: even(height) };
}
