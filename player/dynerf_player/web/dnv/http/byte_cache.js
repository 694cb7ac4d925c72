/** The ranges of a file that were read last, as far as they fit a limit in bytes. */
export class ByteCache {
  #ranges = new Map(); // the one used last at the end
  #size = 0;

  constructor(limit) {
    this.limit = limit;
  }

  get(first, stop) {
    const key = `${first}-${stop}`;
    const bytes = this.#ranges.get(key);
    if (!bytes) return undefined;
    this.#ranges.delete(key);
    this.#ranges.set(key, bytes);
    return bytes;
  }

  add(first, stop, bytes) {
    if (bytes.length > this.limit || this.get(first, stop)) return;
    this.#ranges.set(`${first}-${stop}`, bytes);
    this.#size += bytes.length;
    for (const [key, oldest] of this.#ranges) {
      if (this.#size <= this.limit) break;
      this.#ranges.delete(key);
      this.#size -= oldest.length;
    }
  }
}
