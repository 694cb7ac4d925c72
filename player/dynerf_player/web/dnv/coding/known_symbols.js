/**
 * What is known of the symbols of an image of planes before they are decoded: the coarser symbols of a refinement, else
 * those of the previous segment. A row and the one below it are copied from the canvas, whose texels lie far apart.
 */
export const [UNEVEN, EVEN, EMPTY] = [0, 1, 2]; // a texel like those to the right and below; and all of it 0

export class KnownSymbols {
  constructor(canvas, { factor, previous }) {
    Object.assign(this, { canvas, factor, previous, present: factor > 0 || previous !== null });
    const length = this.present ? (canvas.width + 1) * canvas.channels : 0; // the last column occurs twice
    this.here = new Int32Array(length); // by column and channel
    this.below = new Int32Array(length); // the last row is the one below it as well
    this.before = factor > 0 && previous !== null ? new Int32Array(length) : null; // of the previous segment
    this.states = new Uint8Array(canvas.width).fill(EMPTY); // by column
    // Which bits the symbols of a texel have, by column.
    [this.bitsHere, this.bitsBelow, this.bitsBefore] = Array.from({ length: 3 }, () => new Int32Array(canvas.width + 1));
  }

  /** Prepare row y of the channels from plane `first` on; rows are loaded in order. */
  load(first, y) {
    if (!this.present) return;
    if (y === 0) this.copy(this.source, first, 0, this.below, this.bitsBelow);
    [this.here, this.below] = [this.below, this.here];
    [this.bitsHere, this.bitsBelow] = [this.bitsBelow, this.bitsHere];
    const next = Math.min(y + 1, this.canvas.height - 1);
    this.copy(this.source, first, next, this.below, this.bitsBelow);
    if (this.before !== null) this.copy(this.previous.data, first, y, this.before, this.bitsBefore);
    this.classify();
  }

  get source() {
    return this.factor > 0 ? this.canvas.data : this.previous.data;
  }

  copy(data, first, y, row, bits) {
    const { width, channels, planes, offset } = this.canvas;
    let from = offset + y * width * planes + first;
    let to = 0;
    for (let x = 0; x < width; x += 1) {
      let any = 0;
      for (let c = 0; c < channels; c += 1) {
        const symbol = data[from + c];
        row[to + c] = symbol;
        any |= symbol;
      }
      bits[x] = any;
      to += channels;
      from += planes;
    }
    row.copyWithin(to, to - channels, to);
    bits[width] = bits[width - 1];
  }

  classify() {
    const { states, bitsHere, bitsBelow, bitsBefore } = this;
    for (let x = 0; x < states.length; x += 1) {
      const own = bitsHere[x] | bitsBefore[x];
      if ((own | bitsHere[x + 1] | bitsBelow[x]) === 0) states[x] = EMPTY;
      else states[x] = this.isEven(x) ? (own === 0 ? EMPTY : EVEN) : UNEVEN;
    }
  }

  isEven(x) {
    const { here, below } = this;
    const { channels } = this.canvas;
    let changes = 0;
    for (let at = x * channels, end = at + channels; at < end; at += 1) {
      changes |= (here[at] ^ here[at + channels]) | (here[at] ^ below[at]);
    }
    return changes === 0;
  }

  /** Set the expected symbol of a point, and the centre of what is possible, from the median of its neighbourhood. */
  expect(point, at) {
    const { factor } = this;
    if (factor === 0) {
      point.expected = this.present ? this.here[at] : point.median;
      point.centre = point.expected;
      return;
    }
    const base = this.before === null ? point.median : this.before[at];
    const centre = Math.imul(factor, this.here[at]);
    const reach = factor >> 1;
    point.centre = centre;
    point.expected = base < centre - reach ? centre - reach : base > centre + reach ? centre + reach : base;
  }

  /** The sum of the signs of the differences of the symbols to the right and below to this one. */
  slope(at) {
    if (!this.present) return 0;
    const { here, below } = this;
    const symbol = here[at];
    const right = here[at + this.canvas.channels];
    const under = below[at];
    return (right > symbol ? 1 : right < symbol ? -1 : 0) + (under > symbol ? 1 : under < symbol ? -1 : 0);
  }
}
