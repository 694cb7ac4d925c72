/**
 * What is known of a tensor before its record is decoded: the symbols of the layer below, whose steps are `factor`
 * times as large, and those of the same layer in the previous segment. Each is optional (`factor` 0, `previous` null).
 *
 * The coarser symbols are on the canvas that is decoded into: each is read before the refined one takes its place.
 */
export class SideInformation {
  /** `previous` is a SymbolCanvas or null. */
  constructor(factor = 0, previous = null) {
    this.factor = factor;
    this.previous = previous;
  }

  get refines() {
    return this.factor > 0;
  }

  get continues() {
    return this.previous !== null;
  }

  /**
   * Write the expected symbols of `count` elements into `values` (SPEC 8): those of the previous segment, held within
   * what the coarser symbols allow. `indices(i)` is the place of element i in a canvas.
   */
  expect(canvas, indexOf, values, count) {
    const { factor } = this;
    const [coarse, previous] = [canvas.data, this.previous?.data];
    const reach = factor >> 1;
    for (let i = 0; i < count; i += 1) {
      const index = indexOf(i);
      const middle = factor * coarse[index];
      if (!previous) values[i] = this.refines ? middle : 0;
      else if (!this.refines) values[i] = previous[index];
      else values[i] = Math.min(Math.max(previous[index], middle - reach), middle + reach);
    }
  }
}
