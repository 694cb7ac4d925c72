/**
 * Parametric tables ("smooth" in SPEC.md): token frequencies from the shape and scale of a generalised normal
 * distribution, in integers below 2^32, with logarithms in steps of 1/256.
 */
import { TOTAL } from "./rans_layout.js";
import { DIRECT, rawWidth } from "./tokens.js";

export const SHAPE_MAX = 32;
export const SCALE_MAX = 255;

const UNIT = 256; // of a logarithm to base 2
const EXPONENT_MAX = 10 * UNIT;
const LOG_DIRECT = [0, 512, 768, 918, 1024, 1106, 1174, 1231, 1280]; // 256 log2(4 m), m = 1 to 8; unused for 0
const LOG_BUCKET = [1046, 1087, 1124, 1158, 1189, 1217, 1244, 1268]; // 256 log2(17 + 2 j), j = 0 to 7

/** The frequencies of a smooth table, each at least 1; they sum to 2^14. */
export function smoothFrequencies({ shape, scale, tokens }) {
  const mass = Array.from({ length: tokens }, (_, token) => logMass(shape, scale, token));
  const largest = Math.max(...mass);
  const weights = mass.map((one) => power(one - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const frequencies = weights.map((weight) => Math.max(1, Math.floor((TOTAL * weight) / sum)));
  const excess = frequencies.reduce((total, one) => total + one, -TOTAL);
  frequencies[frequencies.indexOf(Math.max(...frequencies))] -= excess;
  return Uint16Array.from(frequencies);
}

/** Frequencies of `classes` tables whose scale grows by `step` from one to the next. */
export function scaledFrequencies(table, classes, step) {
  return Array.from({ length: classes }, (_, number) =>
    smoothFrequencies({ ...table, scale: Math.min(table.scale + step * number, SCALE_MAX) }),
  );
}

/** 256 log2 of a token's probability, less a constant. */
function logMass(shape, scale, token) {
  const width = token < DIRECT ? 0 : UNIT * rawWidth(token);
  if (token === 0) return width;
  const magnitude = token < DIRECT ? LOG_DIRECT[(token + 1) >> 1] : LOG_BUCKET[(token - DIRECT) & 7] + width;
  const exponent = Math.min((shape * (magnitude - 32 * scale + 1536)) >> 3, EXPONENT_MAX);
  return width - (power(exponent) >> 8);
}

/** 2^16 times 2^(exponent / 256), within 0.3 %. */
function power(exponent) {
  const [whole, part] = [exponent >> 8, exponent & 255];
  const mantissa = 65536 + Math.floor((part * (512 + part)) / 3);
  if (whole >= 0) return mantissa << whole;
  return whole < -31 ? 0 : mantissa >> -whole;
}
