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
    this.extent = width + 3; // column x is at x + 2
    [this.here, this.above, this.aboveThat] = [0, 0, 0]; // where each row begins, in texels
    this.rows = new Int32Array(3 * this.extent * channels);
    this.deviations = new Int32Array(3 * this.extent);
    this.occupied = new Uint8Array(3 * this.extent); // 1 where a symbol is not 0
    this.magnitudes = new Float64Array(this.extent); // sums of those of each texel of the row
    this.deviatedAbove = new Uint8Array(width); // by column: bit k - 1 is set where the texel k rows above deviates
    this.columnPlaces = Uint8Array.from({ length: width }, (_, x) => Math.floor((x * PLACES) / width));
    this.place = 0; // of the row, of 256 rows of places
    // Used from the second image on: by plane, with a border, and the image's own.
    const bordered = () => new Uint16Array((height + 2) * (width + 2));
    this.energies = images > 1 ? Array.from({ length: planes }, bordered) : null;
    this.added = images > 1 ? bordered() : null;
    [this.levels, this.masks] = [new Uint8Array(width), new Uint8Array(width)]; // of the energy around the row's texels
  }

  /** Begin an image. */
  clear(image, plane) {
    Object.assign(this, { image, plane });
    for (const array of [this.rows, this.deviations, this.deviatedAbove, this.occupied]) array.fill(0);
  }

  /** Begin row y. */
  begin(y) {
    const { extent, channels } = this;
    [this.here, this.above, this.aboveThat] = [(y % 3) * extent, ((y + 2) % 3) * extent, ((y + 1) % 3) * extent];
    this.rows.fill(0, this.here * channels, (this.here + extent) * channels);
    this.magnitudes.fill(0);
    this.place = ((this.plane & 15) * PLACES + Math.floor((y * PLACES) / this.height)) * PLACES;
    if (this.image > 0) this.classifyEnergy(y);
  }

  /** Whether all symbols to the left, above left, above and above right of a texel are 0, as they mostly are. */
  isEmpty(x) {
    const { occupied } = this;
    const above = this.above + x;
    return this.magnitudes[x + 1] === 0 && (occupied[above + 1] | occupied[above + 2] | occupied[above + 3]) === 0;
  }

  /** At the end of a row. */
  keepMagnitudes(y) {
    const { magnitudes, occupied, added, here, width } = this;
    for (let x = 0; x < width; x += 1) occupied[here + x + 2] = magnitudes[x + 2] > 0 ? 1 : 0;
    if (added === null) return;
    const first = (y + 1) * (width + 2) + 1;
    for (let x = 0; x < width; x += 1) added[first + x] = Math.min(magnitudes[x + 2], ENERGY_MAX);
  }

  /** Add the magnitudes of an image to the energy of its plane. */
  addEnergy() {
    if (this.energies === null) return;
    const { added } = this;
    const energy = this.energies[this.plane];
    for (let i = 0; i < energy.length; i += 1) energy[i] = Math.min(energy[i] + added[i], ENERGY_MAX);
  }

  /** For each texel of a row the class of the energy around it, and a bit for each of it, right, below, above and left. */
  classifyEnergy(y) {
    const { width, levels, masks } = this;
    const energy = this.energies[this.plane];
    const stride = width + 2;
    const first = (y + 1) * stride + 1;
    let [before, column] = [0, energy[first - stride] + energy[first] + energy[first + stride]];
    for (let x = 0, at = first; x < width; x += 1, at += 1) {
      const after = energy[at + 1 - stride] + energy[at + 1] + energy[at + 1 + stride];
      const sum = before + column + after + 2 * energy[at];
      [before, column] = [column, after];
      levels[x] = sum === 0 ? 0 : Math.min(15, halfOctaves(sum));
      masks[x] = sum === 0 ? 0 : maskOf(energy, at, stride);
    }
  }
}

function maskOf(energy, at, stride) {
  const sides = (energy[at + stride] > 0 ? 4 : 0) + (energy[at - stride] > 0 ? 2 : 0);
  return sides + (energy[at] > 0 ? 16 : 0) + (energy[at + 1] > 0 ? 8 : 0) + (energy[at - 1] > 0 ? 1 : 0);
}

/** Set the contexts of a quiet texel; returns 16 x the row of weights plus that of corrections. */
export function quietContexts({ contexts, starts }, texels, x, leftHistory, coloured) {
  const { deviations } = texels;
  const here = texels.here + x;
  const above = texels.above + x;
  const near = atMost(3, deviations[above + 1] + deviations[above + 2] + deviations[above + 3] + deviations[here + 1]);
  const beyond = atMost(3, deviations[here] + deviations[texels.aboveThat + x + 2]);
  const far = ((leftHistory & 124) > 0 ? 1 : 0) + ((texels.deviatedAbove[x] & 124) > 0 ? 2 : 0);
  const level = texels.levels[x];
  contexts[0] = starts[0] + (near * 4 + beyond) * 16 + level;
  contexts[1] = starts[1] + (far * 4 + beyond) * 9 + atMost(8, coloured);
  contexts[2] = starts[2] + 2 * texels.masks[x] + (coloured > 0 ? 1 : 0);
  contexts[3] = starts[3] + (texels.place + texels.columnPlaces[x]) * 4 + (level >> 2);
  return 16 * (near * 4 + beyond) + level;
}

function atMost(most, value) {
  return value < most ? value : most;
}

/** Twice the logarithm of value + 1, rounded down to a half. */
function halfOctaves(value) {
  const octave = 31 - Math.clz32(value + 1);
  return octave === 0 ? 0 : 2 * octave + (((value + 1) >> (octave - 1)) & 1);
}

/** 0 to 124, by how many channels deviate to the left, above and at both corners above. */
export function surroundings(texels, x) {
  const { deviations } = texels;
  const [here, above] = [texels.here + x, texels.above + x];
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
  return mixer.decideSix(decoder, node, node * WEIGHTS + weightRow, node * SPREADS * DEVIATING + correctionRow);
}
