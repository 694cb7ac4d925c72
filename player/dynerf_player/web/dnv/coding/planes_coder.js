/**
 * Entropy decoding of feature planes (SPEC 8.4) by adaptive binary decisions with mixed contexts.
 *
 * The planes of a tensor (..., plane, channel, row, column) are decoded image by image, texel by texel and channel by
 * channel. At a texel with an even neighbourhood one decision states whether all its channels are as expected. Contexts
 * are in `plane_contexts.js`, mixing in `mixing.js`. A refined symbol takes the place of the coarser one on the canvas.
 */
import { FormatError, LimitError } from "../errors.js";
import { SYMBOL_MAX } from "../layout.js";
import { BinaryDecoder } from "./binary_coder.js";
import { NODES, Texels, decideNode, newMixers, quietContexts, sign, surroundings, symbolContexts } from "./plane_contexts.js";

const [EXTENT_MIN, EXTENT_MAX] = [4, 2 ** 14];
const [SYMBOLS_PER_BYTE, SYMBOLS_FREE] = [4096, 2 ** 16];
const UNARY_MAX = 16;
const [LENGTH_BITS, LENGTH_MAX] = [5, 26];

/** Whether a tensor of this shape may be coded as planes. */
export function fitsPlanes(shape) {
  return shape.length >= 3 && shape.slice(-2).every((extent) => extent >= EXTENT_MIN && extent <= EXTENT_MAX);
}

/**
 * Decode a tensor of planes into its canvas; a generator that yields the number of symbols after each row of an image.
 */
export function* decodePlanes(bytes, shape, canvas, sideInformation) {
  if (canvas.elements > SYMBOLS_FREE + SYMBOLS_PER_BYTE * bytes.length) {
    throw new LimitError(`planes: ${canvas.elements} symbols in ${bytes.length} bytes`);
  }
  yield* new PlanesDecoder(bytes, shape, canvas, sideInformation).decode();
}

class PlanesDecoder {
  constructor(bytes, shape, canvas, { factor, previous }) {
    Object.assign(this, { canvas, factor, previous, known: factor > 0 || previous !== null });
    this.decoder = new BinaryDecoder(bytes);
    this.mixers = newMixers();
    this.planes = shape.length > 3 ? shape.at(-4) : 1;
    this.images = canvas.planes / canvas.channels / this.planes;
    this.texels = new Texels(this.images, this.planes, canvas.channels, canvas.height, canvas.width);
    this.invalid = false;
    // Of the symbol in decoding; one object for all.
    this.point = { left: 0, up: 0, upperLeft: 0, upperRight: 0, leftLeft: 0, upUp: 0, expected: 0, centre: 0, median: 0, slope: 0, weightRow: 0, correctionRow: 0 };
  }

  *decode() {
    const { height, width, channels } = this.canvas;
    for (let image = 0; image < this.images; image += 1) {
      for (let plane = 0; plane < this.planes; plane += 1) {
        this.texels.clear();
        for (let y = 0; y < height; y += 1) {
          this.row(image, plane, y);
          this.decoder.assertNotBeyondEnd();
          yield width * channels;
        }
        this.texels.addEnergy(plane);
      }
    }
    this.decoder.finish();
    if (this.invalid) throw new FormatError(`planes: a symbol beyond +-${SYMBOL_MAX}`);
  }

  row(image, plane, y) {
    const { texels, canvas } = this;
    const { width, channels } = canvas;
    const number = (image * this.planes + plane) * channels;
    const around = y % 3 * (width + 3);
    let leftHistory = 0;
    for (let x = 0; x < width; x += 1) {
      const deviating = this.texel(number, plane, y, x, leftHistory);
      const deviates = deviating > 0 ? 1 : 0;
      texels.deviations[around + x + 2] = deviating;
      leftHistory = ((leftHistory << 1) | deviates) & 255;
      texels.deviatedAbove[x] = (texels.deviatedAbove[x] << 1) | deviates;
    }
  }

  /** Decode the channels of a texel; returns how many are not the expected symbol. */
  texel(number, plane, y, x, leftHistory) {
    const { texels, canvas, mixers, decoder } = this;
    const { rows, stride, channels } = texels;
    const here = (y % 3) * stride + (x + 2) * channels;
    const above = ((y + 2) % 3) * stride + (x + 2) * channels;
    const at = canvas.offset + (y * canvas.width + x) * canvas.planes + number;
    let uneven = 0;
    let coloured = 0;
    const empty = this.isEmpty(y, x);
    for (let c = 0; c < channels && !empty; c += 1) {
      const left = rows[here - channels + c];
      const up = rows[above + c];
      if (left !== up || up !== rows[above - channels + c] || up !== rows[above + channels + c]) uneven += 1;
      if (left !== 0 || up !== 0) coloured += 1;
    }
    if (uneven === 0 && this.isCertain(here - channels, at, y, x)) {
      const row = quietContexts(mixers.quiet, texels, plane, y, x, leftHistory, coloured);
      if (mixers.quiet.decide(decoder, 0, row >> 4, row & 15) === 0) {
        this.repeat(here, at, y, x);
        return 0;
      }
    }
    return this.symbols(here, above, at, number, y, x, uneven);
  }

  /** Whether all symbols to the left, above left, above and above right of a texel are 0, as they mostly are. */
  isEmpty(y, x) {
    const { occupied, width } = this.texels;
    const above = ((y + 2) % 3) * (width + 3) + x;
    return (occupied[(y % 3) * (width + 3) + x + 1] | occupied[above + 1] | occupied[above + 2] | occupied[above + 3]) === 0;
  }

  /** Whether in all channels of an even neighbourhood what is known agrees with the left neighbour. */
  isCertain(left, at, y, x) {
    if (!this.known) return true;
    const { rows, channels } = this.texels;
    const { factor, previous } = this;
    const { planes, height, width } = this.canvas;
    const { data } = factor > 0 ? this.canvas : previous;
    for (let c = 0; c < channels; c += 1) {
      const value = data[at + c];
      if (x + 1 < width && data[at + planes + c] !== value) return false;
      if (y + 1 < height && data[at + width * planes + c] !== value) return false;
      if (this.expected(rows[left + c], at + c) !== rows[left + c]) return false;
    }
    return true;
  }

  /** The expected symbol, given the median of the neighbourhood; sets the centre of what is possible. */
  expected(median, at) {
    const { factor, previous, point } = this;
    const expected = previous === null ? median : previous.data[at];
    if (factor === 0) {
      point.centre = expected;
      return expected;
    }
    const centre = factor * this.canvas.data[at];
    const reach = factor >> 1;
    point.centre = centre;
    return Math.max(centre - reach, Math.min(centre + reach, expected));
  }

  /** A quiet texel: all channels are those to the left. */
  repeat(here, at, y, x) {
    const { rows, channels } = this.texels;
    const { data } = this.canvas;
    let energy = 0;
    for (let c = 0; c < channels; c += 1) {
      const symbol = rows[here - channels + c];
      rows[here + c] = symbol;
      data[at + c] = symbol;
      energy += Math.abs(symbol);
    }
    this.setMagnitude(y, x, energy);
  }

  /** Keep the sum of the magnitudes of a texel's symbols. */
  setMagnitude(y, x, sum) {
    const { texels } = this;
    texels.occupied[(y % 3) * (texels.width + 3) + x + 2] = sum > 0 ? 1 : 0;
    texels.setMagnitude(y, x, sum);
  }

  symbols(here, above, at, number, y, x, uneven) {
    const { texels, canvas, point } = this;
    const { rows, stride, channels } = texels;
    const aboveThat = ((y + 1) % 3) * stride + (x + 2) * channels;
    const around = surroundings(texels, y, x);
    let deviating = 0;
    let energy = 0;
    for (let c = 0; c < channels; c += 1) {
      point.left = rows[here - channels + c];
      point.leftLeft = rows[here - 2 * channels + c];
      point.up = rows[above + c];
      point.upperLeft = rows[above - channels + c];
      point.upperRight = rows[above + channels + c];
      point.upUp = rows[aboveThat + c];
      point.median = median(point.left, point.up, point.left + point.up - point.upperLeft);
      point.expected = this.expected(point.median, at + c);
      point.slope = this.known ? this.slope(at + c, y, x) : 0;
      const s = symbolContexts(this.mixers.symbols, point, around, number + c, uneven, deviating, this.known);
      const difference = this.difference();
      if (difference !== 0) deviating += 1;
      let symbol = point.expected + s * difference;
      if (symbol > SYMBOL_MAX || symbol < -SYMBOL_MAX) [this.invalid, symbol] = [true, 0];
      rows[here + c] = symbol;
      canvas.put(at + c, symbol);
      energy += Math.abs(symbol);
    }
    this.setMagnitude(y, x, energy);
    return deviating;
  }

  /** The sum of the signs of the differences of the known symbol to the right and below to this one. */
  slope(at, y, x) {
    const { planes, height, width } = this.canvas;
    const { data } = this.factor > 0 ? this.canvas : this.previous;
    const right = x + 1 < width ? sign(data[at + planes] - data[at]) : 0;
    return right + (y + 1 < height ? sign(data[at + width * planes] - data[at]) : 0);
  }

  /** Decode r: is it 0, its side, and its magnitude. */
  difference() {
    const { decoder, point } = this;
    const mixer = this.mixers.symbols;
    if (decideNode(mixer, decoder, 0, point) === 0) return 0;
    const negative = decideNode(mixer, decoder, 1, point) === 1;
    let size = 1;
    while (size <= UNARY_MAX && decideNode(mixer, decoder, Math.min(size + 1, NODES / 2 - 1) + (negative ? NODES / 2 : 0), point) === 1) {
      size += 1;
    }
    if (size > UNARY_MAX) size += decoder.number(Math.min(decoder.number(LENGTH_BITS), LENGTH_MAX));
    return negative ? -size : size;
  }
}

/** The middle one of three, of which `c` is left + up - upper left. */
function median(a, b, c) {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
