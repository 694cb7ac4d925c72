/**
 * Camera positions as orbits about a target, as the attributes of the element give them: `theta` is the angle about the
 * vertical, 0 at the first capture camera and positive to its right; `phi` the angle from the vertical, 0 above the
 * target; both in radians, `radius` in world units.
 */
import { add, cross, dot, fromAxisAngle, length, multiply, normalize, rotate, scale, subtract } from "./vector.js";

const POLE = 0.02; // radians, the least angle between the viewing direction and the vertical

/** Axes of the orbit: `up`, `front` (towards theta 0) and `side` (towards theta 90 degrees). */
export function orbitAxes(up, home, target) {
  const offset = subtract(home.position, target);
  const level = subtract(offset, scale(up, dot(offset, up)));
  const fallback = rotate(home.rotation, [0, 0, 1]);
  const front = length(level) > 1e-9 * (length(offset) || 1) ? level : subtract(fallback, scale(up, dot(fallback, up)));
  const unit = length(front) > 0 ? normalize(front) : perpendicular(up);
  return { up, front: unit, side: cross(up, unit) };
}

function perpendicular([x, y, z]) {
  return normalize(Math.abs(x) < 0.9 ? [0, z, -y] : [-z, 0, x]);
}

/** {theta, phi, radius} of a position. */
export function orbitOf(position, target, { up, front, side }) {
  const offset = subtract(position, target);
  const radius = length(offset);
  if (radius === 0) return { theta: 0, phi: Math.PI / 2, radius };
  const phi = Math.acos(Math.min(1, Math.max(-1, dot(offset, up) / radius)));
  return { theta: Math.atan2(dot(offset, side), dot(offset, front)), phi, radius };
}

/** The camera {position, rotation, fov} on an orbit, looking at the target without roll. */
export function cameraOnOrbit({ theta, phi, radius }, target, axes, fov) {
  const polar = Math.min(Math.max(phi, POLE), Math.PI - POLE);
  const level = add(scale(axes.front, Math.cos(theta)), scale(axes.side, Math.sin(theta)));
  const back = add(scale(axes.up, Math.cos(polar)), scale(level, Math.sin(polar)));
  return { position: add(target, scale(back, radius)), rotation: lookingAlong(back, axes.up), fov };
}

/** The rotation of a camera whose z axis is `back`, without roll. */
function lookingAlong(back, up) {
  const right = normalize(cross(up, back));
  const first = turnBetween([0, 0, 1], back);
  const turned = rotate(first, [1, 0, 0]);
  const angle = Math.atan2(dot(cross(turned, right), back), dot(turned, right));
  return multiply(fromAxisAngle(back, angle), first);
}

/** The shortest rotation between two unit vectors. */
function turnBetween(from, to) {
  const axis = cross(from, to);
  const cosine = dot(from, to);
  if (length(axis) < 1e-12) return cosine > 0 ? [0, 0, 0, 1] : fromAxisAngle(perpendicular(from), Math.PI);
  return fromAxisAngle(normalize(axis), Math.atan2(length(axis), cosine));
}

const NUMBER = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(deg|rad|m|%)?$/i;

/** A value of an attribute in its base unit: "30deg", "0.5rad", "2m", "2", "105%" of `auto`, "auto"; else null. */
export function parseAmount(text, { auto, angle = false }) {
  if (text === undefined || text === "auto") return auto;
  const [, digits, unit = ""] = NUMBER.exec(text) ?? [];
  const value = Number(digits);
  if (!Number.isFinite(value) || Math.abs(value) > 1e9) return null;
  if (unit === "%") return (value / 100) * auto;
  if (unit === "deg" || unit === "rad") return angle ? value * (unit === "deg" ? Math.PI / 180 : 1) : null;
  return angle && unit === "m" ? null : value;
}

/** "theta phi radius" of an attribute as an orbit; missing or "auto" parts are those of `auto`; null when malformed. */
export function parseOrbit(text, auto) {
  const words = (text ?? "").trim().split(/\s+/).filter(Boolean);
  const [theta, phi, radius] = ["theta", "phi", "radius"].map(
    (name, i) => parseAmount(words[i], { auto: auto[name], angle: name !== "radius" }),
  );
  const valid = words.length <= 3 && theta !== null && phi !== null && radius !== null && radius > 0;
  return valid ? { theta, phi, radius } : null;
}

/** "x y z" of an attribute as a position; null when malformed. */
export function parseTarget(text, auto) {
  const words = (text ?? "").trim().split(/\s+/).filter(Boolean);
  if (words.length > 3) return null;
  const values = auto.map((value, i) => parseAmount(words[i], { auto: value }));
  return values.includes(null) ? null : values;
}
