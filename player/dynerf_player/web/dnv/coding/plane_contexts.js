/**
 * Contexts of the planes coder (SPEC 8.4): what a texel's neighbourhood says about it.
 *
 * `Texels` holds, of the image that is decoded, the current and the two previous rows of symbols, and for their texels
 * the number of channels that deviated from the expected symbol; outside of the image everything is 0. `energy` sums, by
 * plane, the magnitudes of the images before.
 */
import { Mixer } from "./mixing.js";

export const NODES = 16;
const PLACES = 16;
const [SPREADS, DEVIATING, HINTS, UNEVEN] = [7, 3, 75, 9];
const WEIGHTS = HINTS + SPREADS * UNEVEN;
const ENERGY_MAX = 65535;
const NO_ENERGY = new Uint16Array(0);

export function newMixers() {
  const sizes = [315, 625, 175, 768, 2625, 625].map((classes) => NODES * classes);
  return {
    symbols: new Mixer(sizes, NODES * WEIGHTS, NODES * SPREADS * DEVIATING),
    quiet: new Mixer([256, 144, 64, 16 * PLACES * PLACES * 4], 16, 16),
  };
}

export class Texels {
  /** `images` of `planes` planes each follow each other. */
  constructor(images, planes, channels, height, width) {
    Object.assign(this, { channels, height, width });
    this.stride = (width + 3) * channels;
    this.rows = new Int32Array(3 * this.stride); // column x is at x + 2
    this.deviations = new Int32Array(3 * (width + 3));
    this.occupied = new Uint8Array(3 * (width + 3)); // 1 where a symbol is not 0
    this.deviatedAbove = new Uint8Array(width); // by column: bit k - 1 is set where the texel k rows above deviates
    const bordered = () => new Uint16Array((height + 2) * (width + 2));
    // Used from the second image on.
    this.energy = images > 1 ? Array.from({ length: planes }, bordered) : null;
    this.magnitudes = images > 1 ? bordered() : NO_ENERGY; // of this image
  }

  /** Begin another image. */
  clear() {
    for (const array of [this.rows, this.deviations, this.deviatedAbove, this.occupied]) array.fill(0);
  }

  energyOf(plane) {
    return this.energy === null ? NO_ENERGY : this.energy[plane];
  }

  /** Keep the sum of the magnitudes of a texel's symbols. */
  setMagnitude(y, x, sum) {
    if (this.energy !== null) this.magnitudes[(y + 1) * (this.width + 2) + x + 1] = Math.min(sum, ENERGY_MAX);
  }

  /** Add the magnitudes of an image to the energy of its plane. */
  addEnergy(plane) {
    const energy = this.energyOf(plane);
    for (let i = 0; i < energy.length; i += 1) energy[i] = Math.min(energy[i] + this.magnitudes[i], ENERGY_MAX);
  }
}

/** Set the contexts of a quiet texel; returns 16 x the row of weights plus that of corrections. */
export function quietContexts({ contexts, starts }, texels, plane, y, x, leftHistory, coloured) {
  const { deviations, width, height } = texels;
  const here = (y % 3) * (width + 3) + x;
  const above = ((y + 2) % 3) * (width + 3) + x;
  const aboveThat = ((y + 1) % 3) * (width + 3) + x;
  const near = Math.min(3, deviations[above + 1] + deviations[above + 2] + deviations[above + 3] + deviations[here + 1]);
  const beyond = Math.min(3, deviations[here] + deviations[aboveThat + 2]);
  const far = ((leftHistory & 124) > 0 ? 1 : 0) + ((texels.deviatedAbove[x] & 124) > 0 ? 2 : 0);
  const energy = energyClass(texels.energyOf(plane), (y + 1) * (width + 2) + x + 1, width + 2);
  const [level, mask] = [energy >> 5, energy & 31];
  const place = ((plane & 15) * PLACES + ((y * PLACES) / height | 0)) * PLACES + ((x * PLACES) / width | 0);
  contexts[0] = starts[0] + (near * 4 + beyond) * 16 + level;
  contexts[1] = starts[1] + (far * 4 + beyond) * 9 + Math.min(8, coloured);
  contexts[2] = starts[2] + 2 * mask + (coloured > 0 ? 1 : 0);
  contexts[3] = starts[3] + place * 4 + (level >> 2);
  return 16 * (near * 4 + beyond) + level;
}

/** 32 x the class of the energy around a texel, plus a bit for each of it, right, below, above and left that has any. */
function energyClass(energy, at, stride) {
  if (energy.length === 0) return 0;
  const own = energy[at];
  const above = energy[at - stride];
  const below = energy[at + stride];
  const left = energy[at - 1];
  const right = energy[at + 1];
  const corners = energy[at - stride - 1] + energy[at - stride + 1] + energy[at + stride - 1] + energy[at + stride + 1];
  const sum = 3 * own + above + below + left + right + corners;
  if (sum === 0) return 0;
  const mask = (own > 0 ? 16 : 0) + (right > 0 ? 8 : 0) + (below > 0 ? 4 : 0) + (above > 0 ? 2 : 0) + (left > 0 ? 1 : 0);
  return 32 * Math.min(15, halfOctaves(sum)) + mask;
}

/** Twice the logarithm of value + 1, rounded down to a half. */
function halfOctaves(value) {
  const octave = 31 - Math.clz32(value + 1);
  return octave === 0 ? 0 : 2 * octave + (((value + 1) >> (octave - 1)) & 1);
}

/** 0 to 124, by how many channels deviate to the left, above and at both corners above. */
export function surroundings({ deviations, width }, y, x) {
  const [here, above] = [(y % 3) * (width + 3) + x, ((y + 2) % 3) * (width + 3) + x];
  const step = (count) => Math.min(4, (count + 1) >> 1);
  return (step(deviations[here + 1]) * 5 + step(deviations[above + 2])) * 5 + step(deviations[above + 1] + deviations[above + 3]);
}

/** The class of a sum of gradients, 0 to 6. */
function spreadClass(spread) {
  if (spread < 3) return spread;
  return spread < 5 ? 3 : spread < 9 ? 4 : spread < 17 ? 5 : 6;
}

/** A gradient as -2 to 2: its sign, doubled from magnitude 3 on. */
function level(gradient) {
  return sign(gradient) + (gradient > 2 ? 1 : 0) - (gradient < -2 ? 1 : 0);
}

export function sign(value) {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

function clip(value, most) {
  return value > most ? most : value < -most ? -most : value;
}

/**
 * Set the contexts of a symbol, `around` being the class of `surroundings`, and the rows of weights and corrections;
 * returns its sign. `p` has the neighbours left, up, upperLeft, upperRight, leftLeft and upUp, the expected symbol, the
 * centre of what is possible, the median and the sum of the slopes; `known` is true in a refinement or continuation.
 */
export function symbolContexts(mixer, p, around, number, uneven, before, known) {
  const { left, up, upperLeft, upperRight, leftLeft, upUp, expected } = p;
  const q = 25 * level(upperRight - up) + 5 * level(up - upperLeft) + level(upperLeft - left);
  const s = q < 0 || (q === 0 && expected < 0) ? -1 : 1;
  const steps = Math.abs(upperRight - up) + Math.abs(up - upperLeft) + Math.abs(upperLeft - left);
  const spread = spreadClass(steps + Math.abs(left - leftLeft) + Math.abs(up - upUp));
  const hint = ((p.slope * s + 2) * 3 + clip(expected - p.centre, 1) * s + 1) * 5 + clip(p.median - expected, 2) * s + 2;
  const beside = clip((leftLeft - expected) * s, 2) + 2;
  const near = (clip((left - expected) * s, 2) + 2) * 5 + clip((up - expected) * s, 2) + 2;
  const unevenClass = (uneven > 0 ? 1 : 0) + (uneven > 1 ? 1 : 0) + (uneven > 3 ? 1 : 0) + (uneven > 7 ? 1 : 0);
  const { contexts, starts } = mixer;
  contexts[0] = starts[0] + NODES * (Math.abs(q) * 5 + clip(expected, 2) * s + 2);
  contexts[1] = starts[1] + NODES * ((near * 5 + clip((upperRight - expected) * s, 2) + 2) * 5 + beside);
  contexts[2] = starts[2] + NODES * (((clip((upUp - expected) * s, 2) + 2) * 5 + beside) * 7 + clip(expected, 3) * s + 3);
  contexts[3] = starts[3] + NODES * ((number & 255) * 3 + Math.min(2, spread));
  contexts[4] = starts[4] + NODES * ((hint * 7 + spread) * 5 + unevenClass);
  contexts[5] = starts[5] + NODES * (around * 5 + Math.min(4, before));
  p.weightRow = known ? hint : HINTS + spread * UNEVEN + Math.min(UNEVEN - 1, uneven);
  p.correctionRow = spread * DEVIATING + Math.min(DEVIATING - 1, before);
  return s;
}

/** Decode one decision of a symbol. */
export function decideNode(mixer, decoder, node, { weightRow, correctionRow }) {
  return mixer.decide(decoder, node, node * WEIGHTS + weightRow, node * SPREADS * DEVIATING + correctionRow);
}
