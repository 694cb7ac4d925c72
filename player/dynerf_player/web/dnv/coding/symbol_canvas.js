/**
 * The symbols of a tensor, laid out as they are coded and as textures take them.
 *
 * For rank 3 and more the last two axes are row and column, and the others together number the planes. The symbols of
 * a texel, one per plane, lie side by side: symbol (plane, row, column) is
 * `data[offset + (row * width + column) * planes + plane]`. Before the first texel there is one of zeros, which
 * stands for all neighbours outside of the planes. For rank 1 and 2 `data` is in row-major order: all elements count
 * as planes of a single texel, and there are no zeros before it.
 *
 * `data` is an Int8Array until a symbol does not fit, then an Int16Array or Int32Array.
 */
const TYPES = [Int8Array, Int16Array, Int32Array];

export class SymbolCanvas {
  constructor(shape) {
    const spatial = shape.length >= 3;
    this.elements = elementsOf(shape);
    [this.height, this.width] = spatial ? shape.slice(-2) : [1, 1];
    this.planes = this.elements / (this.height * this.width);
    this.channels = spatial ? shape.at(-3) : this.planes;
    this.offset = spatial ? this.planes : 0;
    this.data = new Int8Array(this.offset + this.elements);
  }

  clone() {
    const copy = Object.create(SymbolCanvas.prototype);
    return Object.assign(copy, this, { data: this.data.slice() });
  }

  /** Make room for symbols from -1 - `size` to `size`. */
  fit(size) {
    const type = TYPES.find(({ BYTES_PER_ELEMENT }) => size < 2 ** (8 * BYTES_PER_ELEMENT - 1));
    if (type.BYTES_PER_ELEMENT > this.data.BYTES_PER_ELEMENT) this.data = new type(this.data);
  }

  /** The index in `data` of the element with this index in row-major order. */
  indexOf(element) {
    const texels = this.height * this.width;
    const plane = Math.floor(element / texels);
    return this.offset + (element - plane * texels) * this.planes + plane;
  }

  /** Store the `count` elements from `first` on, in row-major order. */
  store(values, first, count) {
    if (this.offset === 0) {
      this.data.set(values.subarray(0, count), first);
      return;
    }
    const [texels, { data, planes, offset }] = [this.height * this.width, this];
    let plane = Math.floor(first / texels);
    let texel = first - plane * texels;
    for (let i = 0; i < count; i += 1) {
      data[offset + texel * planes + plane] = values[i];
      texel += 1;
      if (texel === texels) [texel, plane] = [0, plane + 1];
    }
  }

  /** The symbols in row-major order; a copy for rank 3 and more. */
  symbols() {
    if (this.offset === 0) return this.data;
    const [texels, { data, planes, offset }] = [this.height * this.width, this];
    const found = new data.constructor(this.elements);
    for (let plane = 0; plane < planes; plane += 1) {
      for (let texel = 0, to = plane * texels, from = offset + plane; texel < texels; texel += 1) {
        found[to + texel] = data[from];
        from += planes;
      }
    }
    return found;
  }

  /** A bound of the symbols' magnitude: that of the type where it is small, else the exact one. */
  largest() {
    const { data } = this;
    if (data.BYTES_PER_ELEMENT < 4) return 2 ** (8 * data.BYTES_PER_ELEMENT - 1);
    return data.reduce((largest, symbol) => Math.max(largest, Math.abs(symbol)), 0);
  }
}

/** The number of elements of a shape: exact below 2^53, and a lower one stays lower beyond. */
export function elementsOf(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}
