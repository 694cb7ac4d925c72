/**
 * Models of planes (SPEC 8.2, models 1, 2 and 4): median edge detection and contexts of three gradients (LOCO-I), with
 * the coarser layer or the previous segment as side information.
 *
 * Wave d holds the texels with column + 2 row = d: their left, upper, upper left and upper right neighbours lie in
 * earlier waves. A refined symbol takes the place of the coarser one on the canvas; the coarser symbols to the right
 * and below, which belong to later waves, are still there.
 */
const WAVE_MAX = 2 ** 16; // symbols
const ACTIVITY_CODES = Uint8Array.from({ length: 17 }, (_, count) => 2 * Math.min(5, 32 - Math.clz32(count)));
const FIRST_GRADIENT_CONTEXT = 5; // contexts 0 to 5 are those of even neighbourhoods, by activity

export class PlanesModel {
  constructor(canvas, sideInformation) {
    Object.assign(this, { canvas, sideInformation });
    this.texelsPerWave = Math.floor(WAVE_MAX / canvas.planes);
  }

  /** Number of the wave, first row and number of texels; long waves are cut. */
  *waves() {
    const { height, width } = this.canvas;
    for (let number = 0; number < width + 2 * (height - 1); number += 1) {
      const end = Math.min(height - 1, number >> 1) + 1;
      for (let row = Math.max(0, (number - width + 2) >> 1); row < end; row += this.texelsPerWave) {
        yield { number, row, texels: Math.min(this.texelsPerWave, end - row) };
      }
    }
  }

  predict({ number, row, texels }, codes, values) {
    const { planes } = this.canvas;
    const words = this.sideInformation.previous ? null : this.canvas.words();
    for (let i = 0; i < texels; i += 1) {
      const place = this.place(row + i, number - 2 * (row + i));
      this.predictTexel(place, words, i * planes, codes, values);
    }
    return texels * planes;
  }

  store({ number, row, texels }, values, size) {
    this.canvas.fit(size);
    const { planes, width, offset, data } = this.canvas;
    for (let i = 0; i < texels; i += 1) {
      const to = offset + ((row + i) * width + number - 2 * (row + i)) * planes;
      for (let plane = 0, from = i * planes; plane < planes; plane += 1) data[to + plane] = values[from + plane];
    }
  }

  /** Where a texel and its neighbours begin in the canvas; those outside are the zeros at its beginning. */
  place(row, column) {
    const { height, width, planes, offset } = this.canvas;
    const at = offset + (row * width + column) * planes;
    const above = at - width * planes;
    return {
      here: at,
      left: column > 0 ? at - planes : 0,
      up: row > 0 ? above : 0,
      upperLeft: row > 0 && column > 0 ? above - planes : 0,
      upperRight: row > 0 && column < width - 1 ? above + planes : 0,
      right: column < width - 1 ? at + planes : 0,
      below: row < height - 1 ? at + width * planes : 0,
    };
  }

  /** Fill in codes and bases of a texel, channels that belong together at once. */
  predictTexel(place, words, index, codes, values) {
    const { data, planes, channels } = this.canvas;
    const { factor, previous } = this.sideInformation;
    for (let first = 0; first < planes; first += channels) {
      if (words !== null && isZero(words, data.BYTES_PER_ELEMENT, place, first, channels)) {
        for (let i = index + first; i < index + first + channels; i += 1) {
          codes[i] = 0;
          values[i] = 0;
        }
        continue;
      }
      const range = { first, end: first + channels, even: evenCode(data, place, first, first + channels) };
      if (previous) predictContinued(data, previous.data, factor, place, range, index, codes, values);
      else if (factor === 0) predictPlanes(data, place, range, index, codes, values);
      else if (range.even === 0) predictRefinedEven(data, factor, place, range, index, codes, values);
      else predictRefined(data, factor, place, range, index, codes, values);
    }
  }
}

/**
 * Whether all symbols that these channels are predicted from are 0, as they are at most texels; then so are codes and
 * bases. Where nothing is refined, the texels that come later are still 0.
 */
function isZero(words, bytes, { here, left, up, upperLeft, upperRight, right, below }, first, channels) {
  const end = ((first + channels) * bytes) >> 2;
  for (let i = (first * bytes) >> 2; i < end; i += 1) {
    const near = words[((left * bytes) >> 2) + i] | words[((up * bytes) >> 2) + i] | words[((here * bytes) >> 2) + i];
    const above = words[((upperLeft * bytes) >> 2) + i] | words[((upperRight * bytes) >> 2) + i];
    if ((near | above | words[((right * bytes) >> 2) + i] | words[((below * bytes) >> 2) + i]) !== 0) return false;
  }
  return true;
}

/** The code of symbols with an even neighbourhood: by the number of channels that are uneven at the texel. */
function evenCode(data, { left, up, upperLeft, upperRight }, first, end) {
  let uneven = 0;
  for (let plane = first; plane < end; plane += 1) {
    const u = data[up + plane];
    if (data[left + plane] !== u || data[upperLeft + plane] !== u || data[upperRight + plane] !== u) uneven += 1;
  }
  return ACTIVITY_CODES[Math.min(uneven, 16)];
}

// The loops below are the hot ones, one per model: no arrays, objects or 64-bit floats in them.

function predictPlanes(data, { left, up, upperLeft, upperRight }, { first, end, even }, index, codes, values) {
  for (let plane = first; plane < end; plane += 1) {
    const l = data[left + plane];
    const u = data[up + plane];
    const c = data[upperLeft + plane];
    const q = 25 * level(data[upperRight + plane] - u) + 5 * level(u - c) + level(c - l);
    values[index + plane] = median(l, u, l + u - c);
    codes[index + plane] = codeOf(q, even);
  }
}

function predictRefined(data, factor, place, { first, end, even }, index, codes, values) {
  const { here, left, up, upperLeft, upperRight, right, below } = place;
  for (let plane = first; plane < end; plane += 1) {
    const l = data[left + plane];
    const u = data[up + plane];
    const c = data[upperLeft + plane];
    const coarse = data[here + plane];
    const base = factor * coarse;
    const gradients = 9 * sign(data[upperRight + plane] - u) + 3 * sign(u - c) + sign(c - l);
    const slope = sign(data[right + plane] - coarse) + sign(data[below + plane] - coarse);
    values[index + plane] = base;
    codes[index + plane] = codeOf(5 * (27 * clamp(median(l, u, l + u - c) - base) + gradients) + slope, even);
  }
}

/** As `predictRefined`, where all neighbours of every channel are equal, as at most texels. */
function predictRefinedEven(data, factor, { here, left, right, below }, { first, end, even }, index, codes, values) {
  for (let plane = first; plane < end; plane += 1) {
    const coarse = data[here + plane];
    const base = factor * coarse;
    const slope = sign(data[right + plane] - coarse) + sign(data[below + plane] - coarse);
    values[index + plane] = base;
    codes[index + plane] = codeOf(135 * clamp(data[left + plane] - base) + slope, even);
  }
}

function predictContinued(data, previous, factor, place, { first, end, even }, index, codes, values) {
  const { here, left, up, upperLeft, upperRight, right, below } = place;
  for (let plane = first; plane < end; plane += 1) {
    const l = data[left + plane];
    const u = data[up + plane];
    const c = data[upperLeft + plane];
    const p = previous[here + plane];
    const base = factor === 0 ? p : factor * data[here + plane];
    const hint =
      factor === 0 ? sign(sign(previous[right + plane] - p) + sign(previous[below + plane] - p)) : sign(p - base);
    const gradients = 9 * sign(data[upperRight + plane] - u) + 3 * sign(u - c) + sign(c - l);
    values[index + plane] = base;
    codes[index + plane] = codeOf(27 * (5 * hint + clamp(median(l, u, l + u - c) - base)) + gradients, even);
  }
}

/** A context and its mirror image share a table: 2 x context, plus 1 for the mirror image. */
function codeOf(q, even) {
  if (q === 0) return even;
  return q > 0 ? 2 * (q + FIRST_GRADIENT_CONTEXT) : 2 * (FIRST_GRADIENT_CONTEXT - q) + 1;
}

/** -1, 0 or 1; `Math.sign` computes with 64-bit floats. */
function sign(value) {
  return (value >> 31) | (-value >>> 31);
}

function clamp(value) {
  return value < -2 ? -2 : value > 2 ? 2 : value;
}

/** The middle one of three, of which `c` is left + up - upper left. */
function median(a, b, c) {
  if (a < b) return c < a ? a : c > b ? b : c;
  return c < b ? b : c > a ? a : c;
}

/** Quantise a gradient to -2..2: its sign, doubled from magnitude 3 on. */
function level(gradient) {
  return sign(gradient) << (gradient > 2 || gradient < -2 ? 1 : 0);
}
