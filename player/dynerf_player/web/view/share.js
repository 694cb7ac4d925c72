/**
 * Camera and time in the address: `#t=0.433&camera=cam03` at a capture camera, else
 * `#t=0.433&at=x,y,z&turn=x,y,z,w&fov=45`. Malformed values are ignored one by one.
 */
import { length, normalize } from "./vector.js";

/** The fragment of the address for a time and a camera; `captureCamera` is the one it coincides with, if any. */
export function toHash(time, { position, rotation, fov }, captureCamera) {
  const fields = [`t=${time.toFixed(3)}`];
  if (captureCamera) fields.push(`camera=${encodeURIComponent(captureCamera.name)}`);
  else fields.push(`at=${format(position)}`, `turn=${format(rotation)}`, `fov=${format([fov])}`);
  return `#${fields.join("&")}`;
}

/** The content of a fragment: {time, name, camera}, each null when it is missing or malformed. */
export function fromHash(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const time = parse(fields.get("t"), 1);
  const position = parse(fields.get("at"), 3);
  const rotation = parse(fields.get("turn"), 4);
  const fov = parse(fields.get("fov"), 1);
  const complete = position && rotation && length(rotation) > 0.1 && fov && fov[0] > 1 && fov[0] < 170;
  return {
    time: time ? time[0] : null,
    name: fields.get("camera"),
    camera: complete ? { position, rotation: normalize(rotation), fov: fov[0] } : null,
  };
}

const format = (values) => values.map((value) => Number(value.toFixed(5))).join(",");

/** Exactly `count` finite numbers of at most 10^9, or null. */
function parse(text, count) {
  const values = (text ?? "").split(",").map((word) => (word.trim() === "" ? NaN : Number(word)));
  return values.length === count && values.every((value) => Math.abs(value) <= 1e9) ? values : null;
}
