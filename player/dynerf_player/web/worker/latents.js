/** Latents of frames, kept while they may be shown again; those that follow are requested with each. */
const KEPT = 2048;

export class Latents {
  /** `request(first, last)` resolves to latents of some frames from `first` on. */
  constructor(request) {
    this.request = request;
    this.known = new Map();
    this.waiting = new Map();
  }

  /** The latent of a moment {frame, weight}, mixed; null while it is requested. */
  at({ frame, weight }) {
    const [before, after] = [this.known.get(frame), weight > 0 ? this.known.get(frame + 1) : undefined];
    if (!before || (weight > 0 && !after)) return null;
    return after ? before.map((value, i) => (1 - weight) * value + weight * after[i]) : before;
  }

  /** Resolves when the latents of a moment are known; `last` is the last frame of its segment. */
  async fetch({ frame, weight }, last) {
    const missing = !this.known.has(frame) ? frame : frame + (weight > 0 ? 1 : 0);
    if (this.known.has(missing)) return;
    if (!this.waiting.has(missing))
      this.waiting.set(
        missing,
        this.load(missing, last).finally(() => this.waiting.delete(missing)),
      );
    await this.waiting.get(missing);
    await this.fetch({ frame, weight }, last);
  }

  async load(first, last) {
    const latents = await this.request(first, last);
    latents.forEach((latent, i) => this.known.set(first + i, latent));
    for (const frame of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      if (frame < first || frame >= first + latents.length) this.known.delete(frame);
    }
  }
}
