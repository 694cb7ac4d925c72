/** Addresses of the server. It may answer below a path of another one, so they all start where this module came from. */
const ROOT = new URL("../../", import.meta.url);

/** The whole address of something below the server's root; each of the path's segments is escaped. */
export function addressOf(...segments) {
  return new URL(segments.map(encodeURIComponent).join("/"), ROOT).href;
}
