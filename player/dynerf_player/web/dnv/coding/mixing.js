/**
 * Logistic mixing (SPEC 8.4): the probability of a binary decision from several adaptive estimates, in integers.
 *
 * Estimates have 22 bits, and in the 7 bits below them the number of decisions that they counted; probabilities have 16
 * bits; stretched values are in 256ths of an octave, weights in 65536ths.
 */
import { power } from "./parametric_tables.js";

const STRETCHED_MAX = 4095;
const ESTIMATE_MAX = 2 ** 22 - 1;
const COUNT_BITS = 7;
const COUNT_MAX = 2 ** COUNT_BITS - 1;
const BINS = 33;
const WEIGHT_MAX = 2 ** 20;
const INITIAL_WEIGHT = 20000;
const RARE = 16; // the smallest probability of either value
const CORRECTION_RATE = 6;

/** The probability of each stretched value from -4095 to 4095. */
const SQUASH = Int32Array.from({ length: 2 * STRETCHED_MAX + 1 }, (_, i) => {
  const odds = power(i - STRETCHED_MAX);
  return Math.min(Math.max(Math.floor((65536 * odds) / (odds + 65536)), RARE), 65536 - RARE);
});

/** The smallest stretched value whose probability is at least that of the index. */
const STRETCH = new Int32Array(4096);
for (let i = 0, x = -STRETCHED_MAX; i < STRETCH.length; i += 1) {
  while (x < STRETCHED_MAX && SQUASH[x + STRETCHED_MAX] < 16 * i + 8) x += 1;
  STRETCH[i] = x;
}

/** The share of the error, in 4096ths, that an estimate learns after n decisions. */
const RATES = Int32Array.from({ length: COUNT_MAX + 1 }, (_, n) => Math.floor(8192 / (2 * n + 3)));

const FIRST_CORRECTIONS = Int32Array.from(
  { length: BINS },
  (_, j) => SQUASH[Math.min(Math.max(256 * j - 1, 0), 2 * STRETCHED_MAX)],
);

/** Estimates, weights and corrections of one kind of decision. */
export class Mixer {
  /** `sizes` are the numbers of estimates of each input. */
  constructor(sizes, weightRows, correctionRows) {
    this.inputs = sizes.length;
    this.starts = Int32Array.from(sizes, (_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
    this.estimates = new Int32Array(sizes.reduce((sum, size) => sum + size, 0)).fill(2 ** (21 + COUNT_BITS));
    this.weights = new Int32Array(weightRows * sizes.length).fill(INITIAL_WEIGHT);
    this.corrections = new Int32Array(correctionRows * BINS);
    for (let row = 0; row < correctionRows; row += 1) this.corrections.set(FIRST_CORRECTIONS, row * BINS);
    this.contexts = new Int32Array(sizes.length); // of the next decision, from each input's own start on
    this.stretched = new Int32Array(sizes.length);
  }

  /**
   * Decode a decision and learn from it. `node` is added to each context; the rows are those of weights and
   * corrections.
   */
  decide(decoder, node, weightRow, correctionRow) {
    const { inputs, estimates, weights, corrections, contexts, stretched } = this;
    const firstWeight = weightRow * inputs;
    let sum = 0;
    for (let i = 0; i < inputs; i += 1) {
      const x = STRETCH[estimates[contexts[i] + node] >> (COUNT_BITS + 10)];
      stretched[i] = x;
      sum += weights[firstWeight + i] * x; // up to 2^35
    }
    const mixed = Math.min(Math.max(Math.floor(sum * 2 ** -16), -STRETCHED_MAX), STRETCHED_MAX) | 0;
    const p = SQUASH[mixed + STRETCHED_MAX];
    const at = mixed + STRETCHED_MAX + 1;
    const entry = correctionRow * BINS + (at >> 8);
    const part = at & 255;
    const corrected = (corrections[entry] * (256 - part) + corrections[entry + 1] * part) >> 8;
    const bit = decoder.decide(Math.min(Math.max((p + corrected) >> 1, RARE), 65536 - RARE));
    const error = (bit << 16) - p;
    for (let i = 0; i < inputs; i += 1) {
      const weight = weights[firstWeight + i] + ((Math.imul(stretched[i], error) + 16384) >> 15);
      weights[firstWeight + i] = weight > WEIGHT_MAX ? WEIGHT_MAX : weight < -WEIGHT_MAX ? -WEIGHT_MAX : weight;
      const at = contexts[i] + node;
      estimates[at] = learned(estimates[at], bit);
    }
    const goal = bit === 1 ? 65535 : 0;
    corrections[entry] += (goal - corrections[entry]) >> CORRECTION_RATE;
    corrections[entry + 1] += (goal - corrections[entry + 1]) >> CORRECTION_RATE;
    return bit;
  }
}

/** An estimate moved towards a decision, the less the more decisions it has counted. */
function learned(estimate, bit) {
  const count = estimate & COUNT_MAX;
  const value = estimate >> COUNT_BITS;
  const error = bit === 1 ? ESTIMATE_MAX - value : value;
  const change = Math.imul(error >> 3, RATES[count]) >> 9;
  return ((bit === 1 ? value + change : value - change) << COUNT_BITS) | (count < COUNT_MAX ? count + 1 : COUNT_MAX);
}
