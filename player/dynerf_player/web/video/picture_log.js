/** Records the pictures of a server: picture rate, latency and bit rate over the last two seconds. */
const WINDOW_MS = 2000;

export class PictureLog {
  constructor() {
    this.pictures = [];
  }

  /** Record a shown picture; `latency` is the milliseconds since its request, or null. */
  record(head, latency, now) {
    this.pictures.push({ head, latency, now });
    while (this.pictures[0].now < now - WINDOW_MS) this.pictures.shift();
  }

  /** The head of the newest picture, or undefined. */
  get newest() {
    return this.pictures.at(-1)?.head;
  }

  stats(now) {
    const { newest } = this;
    if (!newest) return { width: 0, height: 0 };
    const recent = this.pictures.filter((entry) => entry.now > now - WINDOW_MS);
    const latencies = recent.map((entry) => entry.latency).filter((value) => value !== null).sort((a, b) => a - b);
    const bytes = recent.reduce((sum, entry) => sum + entry.head.bytes, 0);
    const { renderMs, codingMs, width, height, final, frame, layers } = newest;
    return {
      picturesPerSecond: recent.length / (WINDOW_MS / 1000),
      latencyMs: latencies.length ? latencies[latencies.length >> 1] : null,
      kbitPerSecond: (bytes * 8) / WINDOW_MS,
      drawMs: renderMs, codingMs, width, height, final, frame, layers,
    };
  }
}
