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
import { EMPTY, KnownSymbols, UNEVEN } from "./known_symbols.js";
import { NODES, Texels, decideNode, newMixers, quietContexts, surroundings, symbolContexts } from "./plane_contexts.js";

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
  constructor(bytes, shape, canvas, sideInformation) {
    this.canvas = canvas;
    this.decoder = new BinaryDecoder(bytes);
    this.mixers = newMixers();
    this.planes = shape.length > 3 ? shape.at(-4) : 1;
    this.images = canvas.planes / canvas.channels / this.planes;
    this.texels = new Texels(this.images, this.planes, canvas.channels, canvas.height, canvas.width);
    this.known = new KnownSymbols(canvas, sideInformation);
    this.used = 0; // bits of the symbols of a row, besides the sign's
    this.invalid = false;
    // Of the symbol in decoding; one object for all.
    this.point = { left: 0, up: 0, upperLeft: 0, upperRight: 0, leftLeft: 0, upUp: 0, expected: 0, centre: 0, median: 0, slope: 0, weightRow: 0, correctionRow: 0 };
  }

  *decode() {
    const { height, width, channels } = this.canvas;
    for (let image = 0; image < this.images; image += 1) {
      for (let plane = 0; plane < this.planes; plane += 1) {
        this.texels.clear(image, plane);
        for (let y = 0; y < height; y += 1) {
          this.row((image * this.planes + plane) * channels, y);
          this.decoder.assertNotBeyondEnd();
          yield width * channels;
        }
        this.texels.addEnergy();
      }
    }
    this.decoder.finish();
    if (this.invalid) throw new FormatError(`planes: a symbol beyond +-${SYMBOL_MAX}`);
  }

  /** Decode a row of the image whose channels begin at this plane of the canvas. */
  row(first, y) {
    const { texels, known, canvas } = this;
    known.load(first, y);
    texels.begin(y);
    let leftHistory = 0;
    for (let x = 0; x < canvas.width; x += 1) {
      const deviating = this.texel(first, x, leftHistory);
      const deviates = deviating > 0 ? 1 : 0;
      texels.deviations[texels.here + x + 2] = deviating;
      leftHistory = ((leftHistory << 1) | deviates) & 255;
      texels.deviatedAbove[x] = (texels.deviatedAbove[x] << 1) | deviates;
    }
    texels.keepMagnitudes(y);
    this.store(first, y);
  }

  /** Decode the channels of a texel; returns how many are not the expected symbol. */
  texel(first, x, leftHistory) {
    const { texels, known, mixers } = this;
    const { rows, channels } = texels;
    const empty = texels.isEmpty(x);
    let [uneven, coloured] = [0, 0];
    if (!empty) {
      const left = (texels.here + x + 1) * channels;
      const above = (texels.above + x + 2) * channels;
      for (let c = 0; c < channels; c += 1) {
        const [beside, up] = [rows[left + c], rows[above + c]];
        if (beside !== up || up !== rows[above - channels + c] || up !== rows[above + channels + c]) uneven += 1;
        if (beside !== 0 || up !== 0) coloured += 1;
      }
    }
    if (empty ? known.states[x] === EMPTY : uneven === 0 && this.isCertain(x)) {
      const row = quietContexts(mixers.quiet, texels, x, leftHistory, coloured);
      if (mixers.quiet.decideFour(this.decoder, 0, row >> 4, row & 15) === 0) {
        if (!empty) this.repeat(x);
        return 0;
      }
    }
    return this.symbols(first, x, uneven);
  }

  /** Whether in all channels of an even neighbourhood what is known agrees with the left neighbour. */
  isCertain(x) {
    const { known, point, texels } = this;
    if (known.states[x] === UNEVEN) return false;
    if (!known.present) return true;
    const { rows, channels } = texels;
    const left = (texels.here + x + 1) * channels;
    for (let c = 0; c < channels; c += 1) {
      point.median = rows[left + c];
      known.expect(point, x * channels + c);
      if (point.expected !== point.median) return false;
    }
    return true;
  }

  /** A quiet texel: all channels are those to the left. */
  repeat(x) {
    const { texels } = this;
    const { rows, channels } = texels;
    const here = (texels.here + x + 2) * channels;
    for (let c = 0; c < channels; c += 1) rows[here + c] = rows[here - channels + c];
    texels.magnitudes[x + 2] = texels.magnitudes[x + 1];
  }

  symbols(first, x, uneven) {
    const { texels, known, point } = this;
    const { rows, channels } = texels;
    const here = (texels.here + x + 2) * channels;
    const above = (texels.above + x + 2) * channels;
    const aboveThat = (texels.aboveThat + x + 2) * channels;
    const around = surroundings(texels, x);
    let [deviating, magnitude] = [0, 0];
    for (let c = 0; c < channels; c += 1) {
      point.left = rows[here - channels + c];
      point.leftLeft = rows[here - 2 * channels + c];
      point.up = rows[above + c];
      point.upperLeft = rows[above - channels + c];
      point.upperRight = rows[above + channels + c];
      point.upUp = rows[aboveThat + c];
      point.median = median(point.left, point.up, point.left + point.up - point.upperLeft);
      point.slope = known.slope(x * channels + c);
      known.expect(point, x * channels + c);
      const s = symbolContexts(this.mixers.symbols, point, around, first + c, uneven, deviating, known.present);
      const difference = this.difference();
      if (difference !== 0) deviating += 1;
      const symbol = this.checked(point.expected + s * difference);
      rows[here + c] = symbol;
      magnitude += Math.abs(symbol);
    }
    texels.magnitudes[x + 2] = magnitude;
    return deviating;
  }

  /** A symbol that is within bounds, or 0. */
  checked(symbol) {
    if (symbol > SYMBOL_MAX || symbol < -SYMBOL_MAX) {
      this.invalid = true;
      return 0;
    }
    this.used |= symbol ^ (symbol >> 31);
    return symbol;
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

  /** Put a row on the canvas; where it is 0, as it mostly is, only in place of coarser symbols. */
  store(first, y) {
    const { canvas, texels, known } = this;
    canvas.fit(this.used);
    this.used = 0;
    const { data, planes, width, channels } = canvas;
    const { rows, here, magnitudes } = texels;
    const replaces = known.factor > 0;
    let at = canvas.offset + y * width * planes + first;
    for (let x = 0; x < width; x += 1, at += planes) {
      if (magnitudes[x + 2] === 0 && !(replaces && known.states[x] !== EMPTY)) continue;
      const from = (here + x + 2) * channels;
      for (let c = 0; c < channels; c += 1) data[at + c] = rows[from + c];
    }
  }
}

/** The middle one of three, of which `c` is left + up - upper left. */
function median(a, b, c) {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
