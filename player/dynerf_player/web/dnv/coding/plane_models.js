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
    for (let i = 0; i < texels; i += 1) {
      const place = this.place(row + i, number - 2 * (row + i));
      this.predictTexel(place, i * planes, codes, values);
    }
    return texels * planes;
  }

  store({ number, row, texels }, values, [low, high]) {
    this.canvas.fit(low, high);
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
  predictTexel(place, index, codes, values) {
    const { data, planes, channels } = this.canvas;
    const { factor, previous } = this.sideInformation;
    for (let first = 0; first < planes; first += channels) {
      const even = evenCode(data, place, first, channels);
      if (previous) predictContinued(data, previous.data, factor, place, first, channels, even, index, codes, values);
      else if (factor) predictRefined(data, factor, place, first, channels, even, index, codes, values);
      else predictPlanes(data, place, first, channels, even, index, codes, values);
    }
  }
}

/** The code of symbols with an even neighbourhood: by the number of channels that are uneven at the texel. */
function evenCode(data, { left, up, upperLeft, upperRight }, first, channels) {
  let uneven = 0;
  for (let plane = first; plane < first + channels; plane += 1) {
    const u = data[up + plane];
    if (data[left + plane] !== u || data[upperLeft + plane] !== u || data[upperRight + plane] !== u) uneven += 1;
  }
  return ACTIVITY_CODES[Math.min(uneven, 16)];
}

function predictPlanes(data, place, first, channels, even, index, codes, values) {
  const { left, up, upperLeft, upperRight } = place;
  for (let plane = first; plane < first + channels; plane += 1) {
    const [l, u, c, r] = [data[left + plane], data[up + plane], data[upperLeft + plane], data[upperRight + plane]];
    values[index + plane] = median(l, u, l + u - c);
    codes[index + plane] = codeOf(25 * level(r - u) + 5 * level(u - c) + level(c - l), even);
  }
}

function predictRefined(data, factor, place, first, channels, even, index, codes, values) {
  const { here, left, up, upperLeft, upperRight, right, below } = place;
  for (let plane = first; plane < first + channels; plane += 1) {
    const [l, u, c, r] = [data[left + plane], data[up + plane], data[upperLeft + plane], data[upperRight + plane]];
    const coarse = data[here + plane];
    const base = factor * coarse;
    const gradients = 9 * Math.sign(r - u) + 3 * Math.sign(u - c) + Math.sign(c - l);
    const slope = Math.sign(data[right + plane] - coarse) + Math.sign(data[below + plane] - coarse);
    values[index + plane] = base;
    codes[index + plane] = codeOf(5 * (27 * difference(l, u, c, base) + gradients) + slope, even);
  }
}

function predictContinued(data, previous, factor, place, first, channels, even, index, codes, values) {
  const { here, left, up, upperLeft, upperRight, right, below } = place;
  for (let plane = first; plane < first + channels; plane += 1) {
    const [l, u, c, r] = [data[left + plane], data[up + plane], data[upperLeft + plane], data[upperRight + plane]];
    const p = previous[here + plane];
    const base = factor ? factor * data[here + plane] : p;
    const hint = factor
      ? Math.sign(p - base)
      : Math.sign(Math.sign(previous[right + plane] - p) + Math.sign(previous[below + plane] - p));
    const gradients = 9 * Math.sign(r - u) + 3 * Math.sign(u - c) + Math.sign(c - l);
    values[index + plane] = base;
    codes[index + plane] = codeOf(27 * (5 * hint + difference(l, u, c, base)) + gradients, even);
  }
}

/** A context and its mirror image share a table: 2 x context, plus 1 for the mirror image. */
function codeOf(q, even) {
  if (q === 0) return even;
  return q > 0 ? 2 * (q + FIRST_GRADIENT_CONTEXT) : 2 * (FIRST_GRADIENT_CONTEXT - q) + 1;
}

/** The predicted symbol less the base, clamped to -2..2. */
function difference(left, up, upperLeft, base) {
  return Math.max(-2, Math.min(2, median(left, up, left + up - upperLeft) - base));
}

/** The middle one of three; `c` is left + up - upper left. */
function median(a, b, c) {
  return a < b ? Math.min(Math.max(c, a), b) : Math.min(Math.max(c, b), a);
}

/** Quantise a gradient to -2..2: its sign, doubled from magnitude 3 on. */
function level(gradient) {
  const size = gradient > 2 || gradient < -2 ? 2 : 1;
  return size * Math.sign(gradient);
}
