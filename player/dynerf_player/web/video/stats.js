/** The statistics overlay: picture rate, latency and bit rate over the last two seconds, and the bytes of the file. */
const WINDOW_MS = 2000;

export class Stats {
  /** `table` is a <dl> element that gets one row per statistic. */
  constructor(table) {
    this.table = table;
    this.pictures = [];
    this.buffer = null;
    this.lastDrawn = 0;
  }

  /** Record a shown picture; `latency` is the milliseconds since its request, or null. */
  record(head, latency, now) {
    this.pictures.push({ head, latency, now });
    while (this.pictures[0].now < now - WINDOW_MS) this.pictures.shift();
  }

  /** Redraw, at most four times a second. */
  draw(now, codec) {
    if (this.table.hidden || now - this.lastDrawn < 250) return;
    this.lastDrawn = now;
    this.table.replaceChildren(...this.rows(now, codec).flatMap(([name, value]) => row(name, value)));
  }

  rows(now, codec) {
    const recent = this.pictures.filter((entry) => entry.now > now - WINDOW_MS);
    const newest = this.pictures.at(-1)?.head;
    if (!newest) return [["Pictures", "none yet"]];
    const latencies = recent.map((entry) => entry.latency).filter((value) => value !== null).sort((a, b) => a - b);
    const bytes = recent.reduce((sum, entry) => sum + entry.head.bytes, 0);
    return [
      ["Pictures per second", (recent.length / (WINDOW_MS / 1000)).toFixed(1)],
      ["Latency", latencies.length ? `${Math.round(latencies[latencies.length >> 1])} ms` : "idle"],
      ["Render, encode", `${newest.renderMs.toFixed(0)} ms, ${newest.codingMs.toFixed(1)} ms`],
      ["Picture", `${newest.width} × ${newest.height}${newest.final ? "" : ", coarse"}`],
      ["Stream", `${codec}, ${((bytes * 8) / WINDOW_MS).toFixed(0)} kbit/s`],
      ["Frame", newest.frame.toFixed(2)],
      ["Layers", String(newest.layers)],
      ["File fetched", this.fetched(newest)],
    ];
  }

  fetched(newest) {
    const bytes = Math.max(newest.fetched, this.buffer?.fetched ?? 0);
    return this.buffer?.total ? `${formatBytes(bytes)} of ${formatBytes(this.buffer.total)}` : formatBytes(bytes);
  }
}

function row(name, value) {
  const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  detail.textContent = value;
  return [term, detail];
}

/** Bytes in decimal units. */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
