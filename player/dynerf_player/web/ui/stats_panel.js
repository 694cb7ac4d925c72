/** The statistics over the picture. */
import { soundRows } from "../video/sound_stats.js";
import { statsRows } from "../video/stats.js";

const INTERVAL_MS = 250;

export class StatsPanel {
  /** `table` is a <dl> element that gets one row per statistic. */
  constructor(table, player) {
    Object.assign(this, { table, player, lastDrawn: -Infinity });
  }

  /** Redraw, at most four times a second. */
  async draw(now) {
    if (this.table.hidden || now - this.lastDrawn < INTERVAL_MS) return;
    this.lastDrawn = now;
    const stats = await this.player.getStats();
    const rows = [...statsRows(stats), ...soundRows(stats.sound)];
    this.table.replaceChildren(...rows.flatMap(([name, value]) => row(name, value)));
  }
}

function row(name, value) {
  const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  detail.textContent = value;
  return [term, detail];
}
