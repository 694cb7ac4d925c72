/**
 * Logistic mixing (SPEC 8.4): the probability of a binary decision from several adaptive estimates, in integers.
 *
 * Estimates have 22 bits, and in the 7 bits below them the number of decisions that they counted; probabilities have 16
 * bits; stretched values are in 256ths of an octave, weights in 65536ths. Decisions with four and with six inputs are
 * written out without loops, because they take most of the time of decoding.
 */
import { power } from "./parametric_tables.js";

const STRETCHED_MAX = 4095;
const ESTIMATE_MAX = 2 ** 22 - 1;
const COUNT_BITS = 7;
const COUNT_MAX = 2 ** COUNT_BITS - 1;
const STRETCH_SHIFT = COUNT_BITS + 10; // to the 12 highest bits of an estimate
const BINS = 33;
const WEIGHT_MAX = 2 ** 20;
const LOW_BITS = 10; // of a weight, multiplied apart from the others: products with all bits exceed 32
const LOW_MASK = 2 ** LOW_BITS - 1;
const INITIAL_WEIGHT = 20000;
const RARE = 16; // the smallest probability of either value
const CORRECTION_RATE = 6;

/** The probability of each stretched value from -4095 to 4095. */
const SQUASH = Uint16Array.from({ length: 2 * STRETCHED_MAX + 1 }, (_, i) => {
  const odds = power(i - STRETCHED_MAX);
  return Math.min(Math.max(Math.floor((65536 * odds) / (odds + 65536)), RARE), 65536 - RARE);
});

/** The smallest stretched value whose probability is at least that of the index. */
const STRETCH = new Int16Array(4096);
for (let i = 0, x = -STRETCHED_MAX; i < STRETCH.length; i += 1) {
  while (x < STRETCHED_MAX && SQUASH[x + STRETCHED_MAX] < 16 * i + 8) x += 1;
  STRETCH[i] = x;
}

/** The share of the error, in 4096ths, that an estimate learns after n decisions. */
const RATES = Uint16Array.from({ length: COUNT_MAX + 1 }, (_, n) => Math.floor(8192 / (2 * n + 3)));

const FIRST_CORRECTIONS = Int32Array.from(
  { length: BINS },
  (_, j) => SQUASH[Math.min(Math.max(256 * j - 1, 0), 2 * STRETCHED_MAX)],
);

/** Estimates, weights and corrections of one kind of decision. */
export class Mixer {
  /** `sizes` are the numbers of estimates of each input. */
  constructor(sizes, weightRows, correctionRows) {
    this.starts = Int32Array.from(sizes, (_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
    this.estimates = new Int32Array(sizes.reduce((sum, size) => sum + size, 0)).fill(2 ** (21 + COUNT_BITS));
    this.weights = new Int32Array(weightRows * sizes.length).fill(INITIAL_WEIGHT);
    this.corrections = new Int32Array(correctionRows * BINS);
    for (let row = 0; row < correctionRows; row += 1) this.corrections.set(FIRST_CORRECTIONS, row * BINS);
    this.contexts = new Int32Array(sizes.length); // of the next decision, from each input's own start on
  }

  /**
   * Decode a decision of a mixer with four inputs and learn from it. `node` is added to each context; the rows are those
   * of weights and corrections.
   */
  decideFour(decoder, node, weightRow, correctionRow) {
    const { estimates, weights, contexts } = this;
    const row = Math.imul(weightRow, 4);
    const a0 = contexts[0] + node, e0 = estimates[a0], x0 = STRETCH[e0 >> STRETCH_SHIFT], w0 = weights[row];
    const a1 = contexts[1] + node, e1 = estimates[a1], x1 = STRETCH[e1 >> STRETCH_SHIFT], w1 = weights[row + 1];
    const a2 = contexts[2] + node, e2 = estimates[a2], x2 = STRETCH[e2 >> STRETCH_SHIFT], w2 = weights[row + 2];
    const a3 = contexts[3] + node, e3 = estimates[a3], x3 = STRETCH[e3 >> STRETCH_SHIFT], w3 = weights[row + 3];
    const high = (Math.imul(w0 >> LOW_BITS, x0) + Math.imul(w1 >> LOW_BITS, x1)
      + Math.imul(w2 >> LOW_BITS, x2) + Math.imul(w3 >> LOW_BITS, x3)) | 0;
    const low = (Math.imul(w0 & LOW_MASK, x0) + Math.imul(w1 & LOW_MASK, x1)
      + Math.imul(w2 & LOW_MASK, x2) + Math.imul(w3 & LOW_MASK, x3)) | 0;
    const mixed = mixedOf(high, low);
    const p = SQUASH[mixed + STRETCHED_MAX];
    const bit = this.correct(decoder, p, mixed, correctionRow);
    const error = (bit << 16) - p;
    weights[row] = adjusted(w0, x0, error);
    weights[row + 1] = adjusted(w1, x1, error);
    weights[row + 2] = adjusted(w2, x2, error);
    weights[row + 3] = adjusted(w3, x3, error);
    estimates[a0] = learned(e0, bit);
    estimates[a1] = learned(e1, bit);
    estimates[a2] = learned(e2, bit);
    estimates[a3] = learned(e3, bit);
    return bit;
  }

  /** The same with six inputs. */
  decideSix(decoder, node, weightRow, correctionRow) {
    const { estimates, weights, contexts } = this;
    const row = Math.imul(weightRow, 6);
    const a0 = contexts[0] + node, e0 = estimates[a0], x0 = STRETCH[e0 >> STRETCH_SHIFT], w0 = weights[row];
    const a1 = contexts[1] + node, e1 = estimates[a1], x1 = STRETCH[e1 >> STRETCH_SHIFT], w1 = weights[row + 1];
    const a2 = contexts[2] + node, e2 = estimates[a2], x2 = STRETCH[e2 >> STRETCH_SHIFT], w2 = weights[row + 2];
    const a3 = contexts[3] + node, e3 = estimates[a3], x3 = STRETCH[e3 >> STRETCH_SHIFT], w3 = weights[row + 3];
    const a4 = contexts[4] + node, e4 = estimates[a4], x4 = STRETCH[e4 >> STRETCH_SHIFT], w4 = weights[row + 4];
    const a5 = contexts[5] + node, e5 = estimates[a5], x5 = STRETCH[e5 >> STRETCH_SHIFT], w5 = weights[row + 5];
    const high = (Math.imul(w0 >> LOW_BITS, x0) + Math.imul(w1 >> LOW_BITS, x1) + Math.imul(w2 >> LOW_BITS, x2)
      + Math.imul(w3 >> LOW_BITS, x3) + Math.imul(w4 >> LOW_BITS, x4) + Math.imul(w5 >> LOW_BITS, x5)) | 0;
    const low = (Math.imul(w0 & LOW_MASK, x0) + Math.imul(w1 & LOW_MASK, x1) + Math.imul(w2 & LOW_MASK, x2)
      + Math.imul(w3 & LOW_MASK, x3) + Math.imul(w4 & LOW_MASK, x4) + Math.imul(w5 & LOW_MASK, x5)) | 0;
    const mixed = mixedOf(high, low);
    const p = SQUASH[mixed + STRETCHED_MAX];
    const bit = this.correct(decoder, p, mixed, correctionRow);
    const error = (bit << 16) - p;
    weights[row] = adjusted(w0, x0, error);
    weights[row + 1] = adjusted(w1, x1, error);
    weights[row + 2] = adjusted(w2, x2, error);
    weights[row + 3] = adjusted(w3, x3, error);
    weights[row + 4] = adjusted(w4, x4, error);
    weights[row + 5] = adjusted(w5, x5, error);
    estimates[a0] = learned(e0, bit);
    estimates[a1] = learned(e1, bit);
    estimates[a2] = learned(e2, bit);
    estimates[a3] = learned(e3, bit);
    estimates[a4] = learned(e4, bit);
    estimates[a5] = learned(e5, bit);
    return bit;
  }

  /** Decode a decision of mixed probability p, corrected by what came of others like it. */
  correct(decoder, p, mixed, correctionRow) {
    const { corrections } = this;
    const at = mixed + STRETCHED_MAX + 1;
    const entry = correctionRow * BINS + (at >> 8);
    const part = at & 255;
    const [c0, c1] = [corrections[entry], corrections[entry + 1]];
    const corrected = (Math.imul(c0, 256 - part) + Math.imul(c1, part)) >> 8;
    const bit = decoder.decide(bounded((p + corrected) >> 1));
    const goal = bit === 1 ? 65535 : 0;
    corrections[entry] = c0 + ((goal - c0) >> CORRECTION_RATE);
    corrections[entry + 1] = c1 + ((goal - c1) >> CORRECTION_RATE);
    return bit;
  }
}

/** The sum of products of weights and stretched values, given those of the upper and the lowest bits. */
function mixedOf(high, low) {
  const sum = (high + (low >> LOW_BITS)) >> (16 - LOW_BITS);
  return sum > STRETCHED_MAX ? STRETCHED_MAX : sum < -STRETCHED_MAX ? -STRETCHED_MAX : sum;
}

/** A weight moved in the direction in which its input was right. */
function adjusted(weight, x, error) {
  const w = weight + ((Math.imul(x, error) + 16384) >> 15);
  return w > WEIGHT_MAX ? WEIGHT_MAX : w < -WEIGHT_MAX ? -WEIGHT_MAX : w;
}

/** An estimate moved towards a decision, the less the more decisions it has counted. */
function learned(estimate, bit) {
  const count = estimate & COUNT_MAX;
  const value = estimate >> COUNT_BITS;
  const error = bit === 1 ? ESTIMATE_MAX - value : value;
  const change = Math.imul(error >> 3, RATES[count]) >> 9;
  return ((bit === 1 ? value + change : value - change) << COUNT_BITS) | (count < COUNT_MAX ? count + 1 : COUNT_MAX);
}

/** A probability that leaves each value a share of the range. */
function bounded(p) {
  return p < RARE ? RARE : p > 65536 - RARE ? 65536 - RARE : p;
}
