/**
 * Camera and time in the address: `#t=0.433&camera=cam03` at a filming camera, else
 * `#t=0.433&at=x,y,z&turn=x,y,z,w&fov=45`. What is malformed is ignored, number by number.
 */
import { length, unit } from "./vector.js";

/** The part of the address after `#` for a moment and a camera. */
export function toHash(time, { position, turn, fov }, home) {
  const words = [`t=${time.toFixed(3)}`];
  if (home) words.push(`camera=${encodeURIComponent(home.name)}`);
  else words.push(`at=${digits(position)}`, `turn=${digits(turn)}`, `fov=${digits([fov])}`);
  return `#${words.join("&")}`;
}

/** What an address says: {time, name, camera}, each null when it is missing or malformed. */
export function fromHash(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const time = numbers(words.get("t"), 1);
  const position = numbers(words.get("at"), 3);
  const turn = numbers(words.get("turn"), 4);
  const fov = numbers(words.get("fov"), 1);
  const whole = position && turn && length(turn) > 0.1 && fov && fov[0] > 1 && fov[0] < 170;
  return {
    time: time ? time[0] : null,
    name: words.get("camera"),
    camera: whole ? { position, turn: unit(turn), fov: fov[0] } : null,
  };
}

const digits = (values) => values.map((value) => Number(value.toFixed(5))).join(",");

/** Exactly so many finite numbers of a sane size, or null. */
function numbers(text, count) {
  const values = (text ?? "").split(",").map((word) => (word.trim() === "" ? NaN : Number(word)));
  return values.length === count && values.every((value) => Math.abs(value) <= 1e9) ? values : null;
}
