/** Addresses of the server. Its root may lie below a path of another server, so it is found from this module's URL. */
const ROOT = new URL("../../", import.meta.url);

/** The absolute address of a path below the server's root; each segment is percent-encoded. */
export function addressOf(...segments) {
  return new URL(segments.map(encodeURIComponent).join("/"), ROOT).href;
}
