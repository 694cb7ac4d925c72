/**
 * A decoder of .dnv files (`format/SPEC.md`) without DOM or WebGL, for pages, workers and Node.js. It mirrors the
 * Python package `dynerf_format` module by module.
 */
export { openClip } from "./clip.js";
export { BytesSource } from "./container/source.js";
export { verify } from "./container/verify.js";
export * from "./errors.js";
export { HttpSource } from "./http/http_source.js";
export { DEFAULT_LIMITS } from "./limits.js";
