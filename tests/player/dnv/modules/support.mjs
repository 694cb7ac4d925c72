import { readFileSync, readdirSync } from "node:fs";

import * as dnv from "../../../../player/dynerf_player/web/dnv/index.js";

export { dnv };

export const VECTORS = new URL("../../../../format/vectors/", import.meta.url);

/** The bytes of a sample file. */
export function vector(name) {
  return new Uint8Array(readFileSync(new URL(name, VECTORS)));
}

/** Files and folder that pytest made for these tests; undefined when they run alone. */
export const FOLDER = process.env.DYNERF_DNV_FOLDER;

export function fromPytest(name) {
  return readFileSync(`${FOLDER}/${name}`);
}

export function open(name, options) {
  return dnv.openClip(new dnv.BytesSource(vector(name), name), options);
}

export function names() {
  return readdirSync(VECTORS).filter((name) => name.endsWith(".dnv"));
}
